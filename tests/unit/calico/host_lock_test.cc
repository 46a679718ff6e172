// SPDX-License-Identifier: Apache-2.0
#include "calico/host_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "base/unique_fd.h"
#include "harness/temp_dir.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;

TEST(HostLock, MakesItsFolderAndExcludesAFlockOfAnotherProgram)
{
    const test::TempDir temp;
    const std::string path = temp / "run/calico/ipam.lock";

    const auto held = HostLock::acquire(path, Deadline::in(1s));

    ASSERT_TRUE(held.has_value());
    struct stat st {};
    ASSERT_EQ(::stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600U);
    const UniqueFd go(::open(path.c_str(), O_RDONLY | O_CLOEXEC));  // as Go's library opens it
    EXPECT_EQ(::flock(go.get(), LOCK_EX | LOCK_NB), -1);
}

TEST(HostLock, EndsAtTheDeadlineWhenAnotherProgramKeepsIt)
{
    const test::TempDir temp;
    const UniqueFd go(::open((temp / "lock").c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::flock(go.get(), LOCK_EX), 0);

    const auto lock = HostLock::acquire(temp / "lock", Deadline::in(30ms));

    ASSERT_FALSE(lock.has_value());
    EXPECT_EQ(lock.error().kind(), ErrorKind::kTryAgain);
}

TEST(HostLock, GoesOnWithoutAFileItCannotHave)
{
    EXPECT_TRUE(HostLock::acquire("/proc/nowhere/ipam.lock", Deadline::in(1s)).has_value());
}

}  // namespace
}  // namespace tortie::calico
