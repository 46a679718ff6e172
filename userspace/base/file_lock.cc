// SPDX-License-Identifier: Apache-2.0
#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cerrno>
#include <csignal>

#include "base/scope_exit.h"

namespace tortie {
namespace {

// Blocking with an alarm instead of polling: with 30 waiters a poll interval adds up. The timer
// repeats, so that an alarm that fires just before flock() sleeps is not lost.
bool flock_until(int fd, std::chrono::milliseconds deadline)
{
    struct sigaction quiet {};
    quiet.sa_handler = [](int) {};
    struct sigaction before {};
    ::sigaction(SIGALRM, &quiet, &before);
    const itimerval off{};
    ScopeExit restore([&] {
        ::setitimer(ITIMER_REAL, &off, nullptr);
        ::sigaction(SIGALRM, &before, nullptr);
    });

    const itimerval alarm{
        .it_interval = {.tv_sec = 0, .tv_usec = 50'000},
        .it_value = {.tv_sec = deadline.count() / 1000,
                     .tv_usec = (deadline.count() % 1000) * 1000 + 1},
    };
    const auto end = std::chrono::steady_clock::now() + deadline;
    ::setitimer(ITIMER_REAL, &alarm, nullptr);
    int rc = 0;
    do {
        rc = ::flock(fd, LOCK_EX);
    } while (rc < 0 && errno == EINTR && std::chrono::steady_clock::now() < end);
    return rc == 0;
}

UniqueFd open_or_create(const std::string &path, mode_t mode)
{
    constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    UniqueFd fd(::open(path.c_str(), kFlags));
    if (fd.valid() || errno != ENOENT)
        return fd;
    fd = UniqueFd(::open(path.c_str(), kFlags | O_CREAT, mode));
    // Other programs lock it too, perhaps as another user: the umask has no say.
    if (fd.valid() && ::fchmod(fd.get(), mode) < 0)
        return UniqueFd();
    return fd;
}

}  // namespace

Result<std::optional<FileLock>> FileLock::try_acquire(const std::string &path, mode_t mode)
{
    UniqueFd fd = open_or_create(path, mode);
    if (!fd.valid())
        return fail_errno(errno, "open lock " + path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
        return std::optional<FileLock>(FileLock(std::move(fd)));
    if (errno == EWOULDBLOCK || errno == EINTR)
        return std::optional<FileLock>();
    return fail_errno(errno, "lock " + path);
}

Result<FileLock> FileLock::acquire(const std::string &path, mode_t mode,
                                   std::chrono::milliseconds deadline)
{
    UniqueFd fd = open_or_create(path, mode);
    if (!fd.valid())
        return fail_errno(errno, "open lock " + path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
        return FileLock(std::move(fd));
    if (errno != EWOULDBLOCK && errno != EINTR)
        return fail_errno(errno, "lock " + path);
    if (flock_until(fd.get(), deadline))
        return FileLock(std::move(fd));
    if (errno == EINTR)
        return fail(ErrorKind::kTryAgain, "lock " + path +
                                              ": still held by another process after " +
                                              std::to_string(deadline.count()) + " ms");
    return fail_errno(errno, "lock " + path);
}

}  // namespace tortie
