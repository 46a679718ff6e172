// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace tortie {
namespace {

// A descriptor that the caller closed would be given to the first file we open, and our log or
// result would go into that file.
Result<> open_standard_descriptors()
{
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (::open("/dev/null", O_RDWR) < 0)  // takes the lowest free number, which is fd
            return fail_errno(errno, "open /dev/null");
    }
    return {};
}

void reset_signals()
{
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2})
        ::sigaction(signal, &action, nullptr);
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Result<> harden_process()
{
    if (::getauxval(AT_SECURE) != 0 || ::geteuid() != ::getuid())
        return fail(ErrorKind::kInvalidInput,
                    "refusing to run with borrowed privileges (set-user-ID or file capabilities)");
    ::umask(0077);
    TORTIE_DO(open_standard_descriptors());
    ::close_range(3, ~0U,
                  CLOSE_RANGE_CLOEXEC);  // before 5.11 this is not there; then it is not done
    reset_signals();
    const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return {};
}

const char *get_env(const char *name)
{
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): these programs have one thread
}

}  // namespace tortie
