// SPDX-License-Identifier: Apache-2.0
#include "guest/program.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <optional>

namespace tortie::vm {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<char *> pointers(const std::vector<std::string> &texts)
{
    std::vector<char *> found;
    found.reserve(texts.size() + 1);
    for (const std::string &text : texts)
        found.push_back(const_cast<char *>(text.c_str()));
    found.push_back(nullptr);
    return found;
}

// A shell wants its lines edited and Ctrl-C; tests want their bytes untouched.
void make_terminal_of(int port)
{
    ::ioctl(port, TIOCSCTTY, 0);
    termios settings{};
    if (::tcgetattr(port, &settings) < 0)
        return;
    settings.c_iflag |= ICRNL;
    settings.c_oflag |= OPOST | ONLCR;
    settings.c_lflag |= ISIG | ICANON | ECHO | ECHOE | ECHOK;
    ::tcsetattr(port, TCSANOW, &settings);
}

[[noreturn]] void become(const Program &program, const UniqueFd &port)
{
    const std::vector<char *> argv = pointers(program.argv);
    const std::vector<char *> env = pointers(program.env);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::setsid();
    if (program.interactive)
        make_terminal_of(port.get());
    const int in = program.interactive ? port.get() : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(in, STDIN_FILENO);
    ::dup2(port.get(), STDOUT_FILENO);
    ::dup2(port.get(), STDERR_FILENO);
    ::execve(argv[0], argv.data(), env.data());
    _exit(127);
}

// The status of `child` once it has ended; everybody else is reaped on the way.
std::optional<int> reap(pid_t child)
{
    std::optional<int> status;
    int ended = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &ended, WNOHANG)) > 0;) {
        if (pid == child)
            status = ended;
    }
    return status;
}

std::optional<int> wait_for(pid_t child, Clock::time_point deadline)
{
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGCHLD);
    for (;;) {
        if (const auto status = reap(child))
            return status;
        const auto left = deadline - Clock::now();
        if (left <= Clock::duration::zero())
            return std::nullopt;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        const timespec limit{.tv_sec = seconds.count(), .tv_nsec = 1'000'000};
        ::sigtimedwait(&signals, nullptr, &limit);
    }
}

// As process 1, -1 is everybody else. They are waited for: the next program finds none.
void end_everybody()
{
    ::kill(-1, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
}

}  // namespace

std::string run(const Program &program, const UniqueFd &port)
{
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGCHLD);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    const pid_t child = ::fork();
    if (child < 0)
        return "exited 126";
    if (child == 0)
        become(program, port);
    const auto status = wait_for(child, Clock::now() + program.deadline);
    end_everybody();
    if (!status)
        return "overdue";
    if (WIFSIGNALED(*status))
        return "killed " + std::to_string(WTERMSIG(*status));
    return "exited " + std::to_string(WEXITSTATUS(*status));
}

}  // namespace tortie::vm
