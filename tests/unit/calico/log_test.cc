// SPDX-License-Identifier: Apache-2.0
#include "calico/log.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/temp_dir.h"

namespace tortie::calico {
namespace {

using ::testing::MatchesRegex;

class CalicoLog : public ::testing::Test {
protected:
    ~CalicoLog() override { log::write_with(nullptr, log::Level::kInfo); }

    void open(LogSettings settings)
    {
        settings.component = "cni-plugin";
        settings.file_path = path_;
        open_log(settings, {{"Pod", "web-1"}, {"ContainerID", "c1f0aa"}, {"Namespace", ""}});
    }

    std::string content() const { return read_file(path_, std::size_t{1} << 20).value_or(""); }

    std::set<std::string> files() const
    {
        std::set<std::string> names;
        DIR *folder = ::opendir(folder_.path().c_str());
        while (const dirent *entry = ::readdir(folder))  // NOLINT(concurrency-mt-unsafe): a test
            if (entry->d_name[0] != '.')
                names.insert(entry->d_name);
        ::closedir(folder);
        return names;
    }

    test::TempDir folder_;
    std::string path_ = folder_ / "cni.log";
};

TEST_F(CalicoLog, WritesCalicosLines)
{
    open({});

    log::info("Wrote endpoint", {{"Workload", "a\n\"b\""}});

    EXPECT_THAT(content(),
                MatchesRegex("20..-..-.. ..:..:..\\....  ?\\[INFO\\]\\[[0-9]+\\] "
                             "cni-plugin/log_test.cc [0-9]+: Wrote endpoint "
                             "ContainerID=\"c1f0aa\" Pod=\"web-1\" Workload=\"a.n..b..\"\n"));
}

TEST_F(CalicoLog, KnowsThreeLevelsAndTakesTheRestForInfo)
{
    open({.level = "ERROR"});
    log::warn("quiet");
    EXPECT_EQ(content(), "");
    open({.level = "warning"});
    log::debug("quiet");
    log::warn("loud");
    EXPECT_NE(content().find("[WARNING]"), std::string::npos);
    open({.level = "Debug"});
    log::debug("all");
    EXPECT_NE(content().find("[DEBUG]"), std::string::npos);
}

TEST_F(CalicoLog, MakesItsFolderAndAFileThatAnybodyMayRead)
{
    path_ = folder_ / "new/cni.log";
    const mode_t before = ::umask(0077);
    open({});
    ::umask(before);

    struct stat st {};
    ASSERT_EQ(::stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0644U);
    ASSERT_EQ(::stat((folder_ / "new").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0755U);
}

TEST_F(CalicoLog, RotatesUnderCalicosNameBeforeTheFileGetsTooLong)
{
    open({.max_size_bytes = 450});  // two lines
    for (int i = 0; i < 3; ++i)
        log::info("a line of more than a hundred bytes with all that stands in front of it");

    const auto names = files();
    ASSERT_EQ(names.size(), 2U);
    EXPECT_THAT(*names.begin(), MatchesRegex("cni-20..-..-..T..-..-..\\....-size\\.log"));
    EXPECT_EQ(*names.rbegin(), "cni.log");
    struct stat st {};
    ASSERT_EQ(::stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0644U);
}

TEST_F(CalicoLog, LosesNothingWhenItRotatesTwiceInAMillisecond)
{
    open({.max_size_bytes = 1});
    for (int i = 0; i < 50; ++i)
        log::info("line");

    std::size_t lines = 0;
    for (const std::string &name : files()) {
        const std::string text = read_file(folder_ / name, std::size_t{1} << 20).value();
        lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    }
    EXPECT_GE(lines, 11U);  // ten rotated files and the last one, none of them overwritten
    EXPECT_LE(files().size(), 11U);
}

TEST_F(CalicoLog, ForgetsWhatIsTooManyOrTooOldCompressedFilesToo)
{
    for (const char *name : {"cni-2026-01-01T00-00-00.000-size.log.zst",
                             "cni-2026-01-02T00-00-00.000-size.log", "other.log"})
        ASSERT_TRUE(replace_file(folder_ / name, "x", 0644));
    open({.max_size_bytes = 100, .max_count = 2});
    for (int i = 0; i < 2; ++i)
        log::info("a line of more than a hundred bytes with all that stands in front of it");

    const auto names = files();
    EXPECT_FALSE(names.contains("cni-2026-01-01T00-00-00.000-size.log.zst"));
    EXPECT_TRUE(names.contains("cni-2026-01-02T00-00-00.000-size.log"));
    EXPECT_TRUE(names.contains("other.log"));
}

TEST_F(CalicoLog, LetsTwoProcessesRotateOnce)
{
    open({.max_size_bytes = 100});
    log::info("the first line, which is more than the limit of one hundred bytes by itself");
    // Another process has rotated meanwhile: the path is a new file, ours the old one.
    ASSERT_EQ(::rename(path_.c_str(), (folder_ / "moved").c_str()), 0);
    ASSERT_TRUE(replace_file(path_, "", 0644));

    log::info("the second line");

    EXPECT_EQ(files(), (std::set<std::string>{"cni.log", "moved"}));
    EXPECT_NE(content().find("the second line"), std::string::npos);
}

TEST_F(CalicoLog, GoesOnWithoutAFileThatCannotBeWritten)
{
    path_ = folder_.path();  // a directory
    ::testing::internal::CaptureStderr();
    open({});
    log::info("still there");
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("still there"), std::string::npos);
}

}  // namespace
}  // namespace tortie::calico
