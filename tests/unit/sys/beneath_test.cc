// SPDX-License-Identifier: Apache-2.0
#include "sys/beneath.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/temp_dir.h"

namespace tortie {
namespace {

using Open = Result<UniqueFd> (*)(int, const std::string &, int, std::string_view);

// inside/{file, sub/deep, link -> ../secret, absolute -> <secret>, dirlink -> sub}, and secret
// beside inside/.
class Beneath : public testing::TestWithParam<Open> {
protected:
    void SetUp() override
    {
        std::filesystem::create_directories(dir_ / "inside/sub");
        for (const char *name : {"inside/file", "inside/sub/deep", "secret"})
            std::ofstream(dir_ / name) << name;
        std::filesystem::create_symlink("../secret", dir_ / "inside/link");
        std::filesystem::create_symlink(dir_ / "secret", dir_ / "inside/absolute");
        std::filesystem::create_symlink("sub", dir_ / "inside/dirlink");
        home_ = UniqueFd(::open((dir_ / "inside").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }

    Result<std::string> read(const std::string &name)
    {
        TORTIE_TRY(const UniqueFd fd, GetParam()(home_.get(), name, O_RDONLY, "open it"));
        return read_to_end(fd.get(), 100, name);
    }

    test::TempDir dir_;
    UniqueFd home_;
};

INSTANTIATE_TEST_SUITE_P(, Beneath, testing::Values(&open_beneath, &walk_beneath),
                         [](const auto &test) {
                             return std::string(test.index == 0 ? "Openat2" : "Walk");
                         });

TEST_P(Beneath, OpensWhatLiesBelow)
{
    EXPECT_EQ(read("file").value(), "inside/file");
    EXPECT_EQ(read("sub/deep").value(), "inside/sub/deep");
}

TEST_P(Beneath, NeverLeavesTheDirectory)
{
    for (const char *name : {"../secret", "sub/../../secret", "link", "absolute", "/etc/passwd"})
        EXPECT_FALSE(read(name)) << name;
    EXPECT_FALSE(read(dir_ / "secret"));
}

TEST_P(Beneath, FollowsNoLinkEvenInside)
{
    const auto through_link = read("dirlink/deep");
    ASSERT_FALSE(through_link);
    EXPECT_TRUE(through_link.error().sys_errno() == ELOOP ||
                through_link.error().sys_errno() == ENOTDIR);
}

TEST_P(Beneath, DoesNotCutANameAtAZeroByte)
{
    const auto cut = read(std::string("file\0x", 6));
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().what(), "open it: invalid argument");
}

TEST_P(Beneath, SaysInGosWordsThatNothingIsThere)
{
    const auto missing = read("sub/missing");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), ErrorKind::kNotFound);
    EXPECT_EQ(missing.error().what(), "open it: no such file or directory");
}

TEST_P(Beneath, DoesNotCrossIntoAnotherFileSystem)
{
    const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    EXPECT_FALSE(GetParam()(root.get(), "proc", O_PATH, "open it"));
    EXPECT_FALSE(GetParam()(root.get(), "proc/self/status", O_RDONLY, "open it"));
}

}  // namespace
}  // namespace tortie
