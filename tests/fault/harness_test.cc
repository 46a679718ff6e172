// SPDX-License-Identifier: Apache-2.0
//
// The harness itself, on programs whose system calls are known.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fault/tracer.h"
#include "harness/temp_dir.h"

namespace tortie::test {
namespace {

using Kind = Disturbance::Kind;

class Tracer : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (const std::string why = why_tracing_is_impossible(); !why.empty())
            GTEST_SKIP() << why;
    }

    static Trace run(const PluginCall &call, const Disturbance &disturbance = {})
    {
        auto trace = run_traced(call, disturbance);
        EXPECT_TRUE(trace.has_value()) << (trace ? "" : trace.error().what());
        return trace ? *trace : Trace{};
    }

    static CallSite first(const Trace &trace, std::uint64_t number)
    {
        const auto &calls = trace.calls.at(0);
        const auto found = std::find_if(calls.begin(), calls.end(), [&](const SystemCall &call) {
            return call.number == number;
        });
        return {.process = 0, .index = static_cast<std::size_t>(found - calls.begin())};
    }

    static CallSite last(const Trace &trace, std::uint64_t number)
    {
        const auto &calls = trace.calls.at(0);
        const auto found = std::find_if(calls.rbegin(), calls.rend(), [&](const SystemCall &call) {
            return call.number == number;
        });
        return {.process = 0, .index = static_cast<std::size_t>(calls.rend() - found) - 1};
    }

    TempDir dir_;
    PluginCall mkdir_{.binary = "/bin/mkdir", .env = {}, .input = "", .arguments = {dir_ / "made"}};
    PluginCall cat_{.binary = "/bin/cat", .env = {}, .input = "through\n", .arguments = {}};

    bool made() const { return ::access((dir_ / "made").c_str(), F_OK) == 0; }
};

TEST_F(Tracer, SeesEveryCallFromExecveToExit)
{
    const Trace trace = run(mkdir_);

    EXPECT_EQ(trace.status, 0);
    EXPECT_FALSE(trace.disturbed);
    ASSERT_EQ(trace.calls.size(), 1U);
    EXPECT_EQ(trace.calls[0].back().number, static_cast<std::uint64_t>(SYS_exit_group));
    EXPECT_LT(first(trace, SYS_mkdir).index, trace.calls[0].size());
}

TEST_F(Tracer, PassesStandardStreams)
{
    const Trace trace = run(cat_);

    EXPECT_EQ(trace.out, "through\n");
    EXPECT_EQ(trace.status, 0);
}

TEST_F(Tracer, KillsBeforeTheCallHasAnEffect)
{
    const CallSite at = first(run(mkdir_), SYS_mkdir);
    ASSERT_EQ(::rmdir((dir_ / "made").c_str()), 0);

    const Trace trace = run(mkdir_, {.kind = Kind::kKillAtEntry, .at = at});

    EXPECT_TRUE(trace.disturbed);
    EXPECT_EQ(trace.status, 128 + SIGKILL);
    EXPECT_FALSE(made());
}

TEST_F(Tracer, KillsAfterTheCallHasItsEffect)
{
    const CallSite at = first(run(mkdir_), SYS_mkdir);
    ASSERT_EQ(::rmdir((dir_ / "made").c_str()), 0);

    const Trace trace = run(mkdir_, {.kind = Kind::kKillAtExit, .at = at});

    EXPECT_EQ(trace.status, 128 + SIGKILL);
    EXPECT_TRUE(made());
    EXPECT_EQ(trace.calls[0].size(), at.index + 1);
}

TEST_F(Tracer, FailsACallWithoutMakingIt)
{
    const CallSite at = first(run(mkdir_), SYS_mkdir);
    ASSERT_EQ(::rmdir((dir_ / "made").c_str()), 0);

    const Trace trace = run(mkdir_, {.kind = Kind::kFail, .at = at, .error = ENOSPC});

    EXPECT_EQ(trace.status, 1);
    EXPECT_THAT(trace.err, ::testing::HasSubstr("No space left on device"));
    EXPECT_FALSE(made());
}

TEST_F(Tracer, CountsCallsOfOneNumber)
{
    const CallSite at{.process = 0, .index = 0, .number = SYS_mkdir};

    const Trace trace = run(mkdir_, {.kind = Kind::kFail, .at = at, .error = EROFS});

    EXPECT_TRUE(trace.disturbed);
    EXPECT_THAT(trace.err, ::testing::HasSubstr("Read-only file system"));
    EXPECT_FALSE(made());
}

TEST_F(Tracer, ReachesNothingBehindTheLastCall)
{
    const Trace trace =
        run(cat_, {.kind = Kind::kKillAtEntry, .at = {.process = 0, .index = 100'000}});

    EXPECT_FALSE(trace.disturbed);
    EXPECT_EQ(trace.status, 0);
}

TEST_F(Tracer, FailsTheExecveOfAChild)
{
    PluginCall shell{.binary = "/bin/sh",
                     .env = {{"PATH", "/bin"}},
                     .input = "",
                     .arguments = {"-c", "cat; exit"}};
    const Trace reference = run(shell);
    ASSERT_EQ(reference.calls.size(), 2U);
    const std::size_t last = reference.calls[1].size() - 1;
    ASSERT_EQ(reference.calls[1][last].name(), "execve");

    const Trace trace =
        run(shell, {.kind = Kind::kFail, .at = {.process = 1, .index = last}, .error = EACCES});

    EXPECT_TRUE(trace.disturbed);
    EXPECT_NE(trace.status, 0);
    EXPECT_THAT(trace.err, ::testing::HasSubstr("cat"));
}

TEST_F(Tracer, AnswersAMessageInTheKernelsPlace)
{
    const PluginCall harmless{.binary = "/sbin/ip",
                              .env = {},
                              .input = "",
                              .arguments = {"link", "show", "dev", "lo"},
                              .deadline = std::chrono::seconds(10)};
    const CallSite at = last(run(harmless), SYS_sendmsg);

    const Trace trace = run(harmless, {.kind = Kind::kRefuse, .at = at, .error = EOPNOTSUPP});

    EXPECT_TRUE(trace.disturbed);
    EXPECT_NE(trace.status, 0);
    EXPECT_THAT(trace.err, ::testing::HasSubstr("Operation not supported"));
}

TEST_F(Tracer, KillsWhatDoesNotEndInTime)
{
    PluginCall slow{.binary = "/bin/sleep", .env = {}, .input = "", .arguments = {"60"}};
    slow.deadline = std::chrono::milliseconds(200);

    const auto trace = run_traced(slow, {});

    ASSERT_FALSE(trace.has_value());
    EXPECT_EQ(trace.error().kind(), ErrorKind::kTryAgain);
}

}  // namespace
}  // namespace tortie::test
