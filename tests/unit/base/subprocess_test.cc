// SPDX-License-Identifier: Apache-2.0
#include "base/subprocess.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie {
namespace {

using namespace std::chrono_literals;

Command shell(const std::string &script)
{
    return {.argv = {"/bin/sh", "-c", script}, .env = minimal_environment(), .input = {}};
}

TEST(RunCommand, CarriesInputOutputDiagnosticsAndStatus)
{
    Command command = shell("cat; echo lost >&2; exit 4");
    const std::string input(300'000, 'x');  // more than a pipe holds
    command.input = input;
    const auto exit = run_command(command);
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->status, 4);
    EXPECT_EQ(exit->output, input);
    EXPECT_EQ(exit->diagnostics, "lost\n");
}

TEST(RunCommand, GivesTheChildNoEnvironmentOfOurs)
{
    ::setenv("TORTIE_SECRET", "1", 1);  // NOLINT(concurrency-mt-unsafe): one thread
    const auto exit = run_command(shell("echo \"$TORTIE_SECRET$LC_ALL\""));
    EXPECT_EQ(exit.value().output, "C\n");
}

TEST(RunCommand, TellsASignalFromAStatus)
{
    EXPECT_EQ(run_command(shell("kill -9 $$")).value().status, 128 + 9);
}

TEST(RunCommand, SaysWhenThereIsNoSuchProgram)
{
    Command command = shell("");
    command.argv = {"/no/such/program"};
    EXPECT_EQ(run_command(command).error().kind(), ErrorKind::kNotFound);
    EXPECT_EQ(run_command(command).error().what(),
              "run /no/such/program: No such file or directory");
}

TEST(RunCommand, KillsAChildThatDoesNotEnd)
{
    Command command = shell("exec sleep 1000");
    command.deadline = 50ms;
    EXPECT_EQ(run_command(command).error().kind(), ErrorKind::kTryAgain);
}

TEST(RunCommand, StopsAChildThatWritesWithoutEnd)
{
    Command command = shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
    command.max_output_bytes = 100'000;
    EXPECT_FALSE(run_command(command).has_value());
}

TEST(RunCommand, OutlivesAChildThatDoesNotReadItsInput)
{
    Command command = shell("exit 3");
    const std::string input(300'000, 'x');
    command.input = input;
    EXPECT_EQ(run_command(command).value().status, 3);
}

TEST(FindProgram, PrefersThePathAndPassesOverRelativeFolders)
{
    EXPECT_EQ(find_program("sh", "bin:/bin").value(), "/bin/sh");
    EXPECT_EQ(find_program("no-such-program", "/bin").error().kind(), ErrorKind::kNotFound);
}

TEST(FindProgram, PassesOverProgramsThatOthersMayChange)
{
    const test::TempDir temp;
    const std::string &folder = temp.path();
    std::ofstream(folder + "/sh") << "#!/bin/sh\n";
    ASSERT_EQ(::chmod((folder + "/sh").c_str(), 0777), 0);
    EXPECT_NE(find_program("sh", folder).value(), folder + "/sh");
    ASSERT_EQ(::chmod((folder + "/sh").c_str(), 0755), 0);
    if (::geteuid() == 0) {
        EXPECT_EQ(find_program("sh", folder).value(), folder + "/sh");
    }
}

}  // namespace
}  // namespace tortie
