// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie {
namespace {

class File : public ::testing::Test {
protected:
    test::TempDir temp_;
    const std::string folder_ = temp_.path();
    const std::string path_ = temp_ / "f";
};

TEST_F(File, ReplaceSetsContentAndModeWhateverTheUmask)
{
    const mode_t before = ::umask(0077);
    ASSERT_TRUE(replace_file(path_, "one", 0644).has_value());
    ASSERT_TRUE(replace_file(path_, "two", 0640).has_value());
    ::umask(before);

    EXPECT_EQ(read_file(path_, 100).value(), "two");
    struct stat st {};
    ASSERT_EQ(::stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0640U);
    EXPECT_FALSE(std::filesystem::exists(path_ + ".tmp"));
}

TEST_F(File, ReplaceLeavesTheOldFileWhenItCannotRename)
{
    std::filesystem::create_directory(path_);
    EXPECT_FALSE(replace_file(path_, "x", 0600).has_value());
    EXPECT_TRUE(std::filesystem::is_directory(path_));
    EXPECT_FALSE(std::filesystem::exists(path_ + ".tmp"));
}

TEST_F(File, ReplaceDurablySetsContentAndModeAndLeavesNothingElse)
{
    const std::string path = temp_ / "state";
    ASSERT_TRUE(replace_file_durably(path, "old", 0600).has_value());
    ASSERT_TRUE(replace_file_durably(path, "new", 0640).has_value());

    EXPECT_EQ(read_file(path, 100).value(), "new");
    struct stat st {};
    ASSERT_EQ(::stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0640U);
    EXPECT_NE(::access((path + ".new-" + std::to_string(::getpid())).c_str(), F_OK), 0);
    EXPECT_FALSE(replace_file_durably(temp_ / "nowhere/state", "x", 0600).has_value());
}

TEST_F(File, RemoveTakesAKilledWritersFileToo)
{
    ASSERT_TRUE(replace_file(path_ + ".tmp", "torn", 0600).has_value());
    EXPECT_TRUE(remove_file(path_).has_value());
    EXPECT_TRUE(remove_file(path_).has_value());
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(File, ReadRefusesWhatIsTooLongOrNoFile)
{
    ASSERT_TRUE(replace_file(path_, std::string(101, 'x'), 0600).has_value());
    EXPECT_EQ(read_file(path_, 101).value().size(), 101U);
    EXPECT_EQ(read_file(path_, 100).error().kind(), ErrorKind::kInvalidInput);
    EXPECT_EQ(read_file(folder_, 100).error().kind(), ErrorKind::kInvalidInput);
    EXPECT_EQ(read_file(folder_ + "/none", 100).error().kind(), ErrorKind::kNotFound);
    ASSERT_EQ(::mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_file(folder_ + "/fifo", 100).error().kind(), ErrorKind::kInvalidInput);
}

TEST_F(File, NothingFollowsASymbolicLink)
{
    ASSERT_TRUE(replace_file(path_, "kept", 0600).has_value());
    std::filesystem::create_symlink(path_, folder_ + "/link");
    std::filesystem::create_symlink(path_, folder_ + "/g.tmp");
    EXPECT_FALSE(read_file(folder_ + "/link", 100).has_value());
    EXPECT_FALSE(replace_file(folder_ + "/g", "evil", 0600).has_value());
    EXPECT_EQ(read_file(path_, 100).value(), "kept");
}

TEST_F(File, MakeDirectoriesLeavesThoseThatExist)
{
    ASSERT_TRUE(make_directories(folder_ + "/a/b/c", 0755).has_value());
    ASSERT_EQ(::chmod((folder_ + "/a").c_str(), 0700), 0);
    ASSERT_TRUE(make_directories(folder_ + "/a/b/c", 0755).has_value());
    struct stat st {};
    ASSERT_EQ(::stat((folder_ + "/a").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0700U);
}

TEST(GoErrnoText, IsInLowerCaseButForNames)
{
    EXPECT_EQ(go_errno_text(ENOENT), "no such file or directory");
    EXPECT_EQ(go_errno_text(EINVAL), "invalid argument");
}

}  // namespace
}  // namespace tortie
