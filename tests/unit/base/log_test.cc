// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

std::string logged(log::Level level, std::string_view what,
                   std::initializer_list<log::Field> fields)
{
    ::testing::internal::CaptureStderr();
    log::event(level, what, fields);
    return ::testing::internal::GetCapturedStderr();
}

TEST(Log, KeepsHostileTextOnItsLineAndInsideItsQuotes)
{
    log::open(log::Level::kInfo, {{"cmd", "ADD"}});

    const std::string line =
        logged(log::Level::kInfo, "published", {{"port", "80/tcp"}, {"pod", "a\nb\" x=\"1\x7f"}});

    EXPECT_NE(line.find("Z level=info cmd=ADD event=published port=80/tcp "
                        "pod=\"a\\x0ab\\\" x=\\\"1\\x7f\"\n"),
              std::string::npos)
        << line;
}

TEST(Log, DropsWhatIsBelowItsLevel)
{
    log::open(log::Level::kWarn, {});
    EXPECT_EQ(logged(log::Level::kInfo, "quiet", {}), "");
    EXPECT_NE(logged(log::Level::kError, "loud", {}), "");
}

TEST(Log, TakesItsLevelFromAWordAndInfoOtherwise)
{
    EXPECT_EQ(log::level_from("debug"), log::Level::kDebug);
    EXPECT_EQ(log::level_from("error"), log::Level::kError);
    EXPECT_EQ(log::level_from("loud"), log::Level::kInfo);
    EXPECT_EQ(log::level_from(""), log::Level::kInfo);
}

log::Event seen;

TEST(Log, HandsEventsToAWriterOfAnotherForm)
{
    log::write_with([](const log::Event &event) { seen = event; }, log::Level::kInfo);
    log::warn("written");
    const int line = __LINE__ - 1;
    log::debug("below");

    EXPECT_EQ(seen.what, "written");
    EXPECT_EQ(seen.level, log::Level::kWarn);
    EXPECT_EQ(seen.file, "log_test.cc");
    EXPECT_EQ(seen.line, line);
    log::write_with(nullptr, log::Level::kInfo);
}

}  // namespace
}  // namespace tortie
