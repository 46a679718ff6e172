// SPDX-License-Identifier: Apache-2.0
#include "base/file_lock.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie {
namespace {

using namespace std::chrono_literals;

class FileLockTest : public ::testing::Test {
protected:
    std::string path() const { return temp_ / "lock"; }

    test::TempDir temp_;
};

TEST_F(FileLockTest, ASecondHolderWaitsUntilItsDeadline)
{
    const auto first = FileLock::acquire(path(), 0600, 1s);
    ASSERT_TRUE(first.has_value());
    const auto second = FileLock::acquire(path(), 0600, 30ms);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().kind(), ErrorKind::kTryAgain);
}

TEST_F(FileLockTest, AnAttemptDoesNotWait)
{
    {
        const auto first = FileLock::try_acquire(path(), 0600);
        ASSERT_TRUE(first && *first);
        const auto second = FileLock::try_acquire(path(), 0600);
        ASSERT_TRUE(second.has_value());
        EXPECT_FALSE(second->has_value());
    }
    const auto third = FileLock::try_acquire(path(), 0600);
    EXPECT_TRUE(third && *third);
}

TEST_F(FileLockTest, GivesANewFileItsModeWhateverTheUmask)
{
    const mode_t before = ::umask(0077);
    const auto lock = FileLock::acquire(path(), 0750, 1s);
    ::umask(before);

    ASSERT_TRUE(lock.has_value());
    struct stat st {};
    ASSERT_EQ(::stat(path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0750U);
}

TEST_F(FileLockTest, ReleasesWithItsObject)
{
    {
        const auto first = FileLock::acquire(path(), 0600, 1s);
        ASSERT_TRUE(first.has_value());
    }
    EXPECT_TRUE(FileLock::acquire(path(), 0600, 1s).has_value());
}

TEST_F(FileLockTest, AWaiterGetsTheLockOfAKilledHolder)
{
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t holder = ::fork();
    if (holder == 0) {
        const auto held = FileLock::acquire(path(), 0600, 1s);
        [[maybe_unused]] const auto put = ::write(ready[1], held ? "y" : "n", 1);
        ::pause();
    }
    char answer = 0;
    ASSERT_EQ(::read(ready[0], &answer, 1), 1);
    ASSERT_EQ(answer, 'y');
    const pid_t killer = ::fork();
    if (killer == 0) {
        ::usleep(20'000);
        ::kill(holder, SIGKILL);
        ::_exit(0);
    }

    EXPECT_TRUE(FileLock::acquire(path(), 0600, 10s).has_value());

    ::waitpid(killer, nullptr, 0);
    ::waitpid(holder, nullptr, 0);
}

}  // namespace
}  // namespace tortie
