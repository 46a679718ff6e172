// SPDX-License-Identifier: Apache-2.0
#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/scope_exit.h"
#include "base/strings.h"
#include "base/unique_fd.h"

namespace tortie {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxDiagnosticsBytes = 64 << 10;

struct Pipe {
    UniqueFd read;
    UniqueFd write;

    static Result<Pipe> make()
    {
        std::array<int, 2> fds{};
        if (::pipe2(fds.data(), O_CLOEXEC) < 0)
            return fail_errno(errno, "make a pipe");
        return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
    }
};

std::vector<char *> pointers(const std::vector<std::string> &texts)
{
    std::vector<char *> out;
    out.reserve(texts.size() + 1);
    for (const std::string &text : texts)
        out.push_back(const_cast<char *>(text.c_str()));  // execve() does not write to it
    out.push_back(nullptr);
    return out;
}

// Only calls that are safe after fork(). exec's errno goes to `failed`, which closes on success.
[[noreturn]] void become(char *const *argv, char *const *envp, pid_t parent, int in, int out,
                         int err, int failed)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent && ::dup2(in, 0) >= 0 && ::dup2(out, 1) >= 0 && ::dup2(err, 2) >= 0) {
        // Ignored and blocked signals would be inherited.
        struct sigaction dfl {};
        dfl.sa_handler = SIG_DFL;
        ::sigaction(SIGPIPE, &dfl, nullptr);
        sigset_t none;
        ::sigemptyset(&none);
        ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
        ::execve(argv[0], argv, envp);
    }
    const int why = errno;
    [[maybe_unused]] const ssize_t put = ::write(failed, &why, sizeof(why));
    ::_exit(127);
}

class Child {
public:
    static Result<Child> start(const Command &command)
    {
        TORTIE_TRY(Pipe in, Pipe::make());
        TORTIE_TRY(Pipe out, Pipe::make());
        TORTIE_TRY(Pipe err, Pipe::make());
        TORTIE_TRY(Pipe failed, Pipe::make());
        const std::vector<char *> argv = pointers(command.argv);
        const std::vector<char *> envp = pointers(command.env);
        const pid_t parent = ::getpid();

        const pid_t pid = ::fork();
        if (pid < 0)
            return fail_errno(errno, "start " + command.argv[0]);
        if (pid == 0)
            become(argv.data(), envp.data(), parent, in.read.get(), out.write.get(),
                   err.write.get(), failed.write.get());
        Child child(pid, std::move(in.write), std::move(out.read), std::move(err.read));

        failed.write = UniqueFd();
        int why = 0;
        ssize_t got = 0;
        do {
            got = ::read(failed.read.get(), &why, sizeof(why));
        } while (got < 0 && errno == EINTR);
        if (got == sizeof(why))
            return fail_errno(why, "run " + command.argv[0]);
        return child;
    }

    Child(Child &&other) noexcept
        : pid_(std::exchange(other.pid_, -1)),
          in_(std::move(other.in_)),
          out_(std::move(other.out_)),
          err_(std::move(other.err_))
    {
    }
    Child &operator=(Child &&) = delete;
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            reap();
        }
    }

    Result<Exit> talk(const Command &command)
    {
        const auto end = Clock::now() + command.deadline;
        std::string_view input = command.input;
        ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
        Exit result;
        while (out_.valid() || err_.valid()) {
            if (input.empty())
                in_ = UniqueFd();
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
            std::array<pollfd, 3> fds = {pollfd{in_.valid() ? in_.get() : -1, POLLOUT, 0},
                                         pollfd{out_.valid() ? out_.get() : -1, POLLIN, 0},
                                         pollfd{err_.valid() ? err_.get() : -1, POLLIN, 0}};
            const int ready =
                left <= 0 ? 0 : ::poll(fds.data(), fds.size(), static_cast<int>(left));
            if (ready < 0 && errno == EINTR)
                continue;
            if (ready < 0)
                return fail_errno(errno, "wait for " + command.argv[0]);
            if (ready == 0)
                return fail(ErrorKind::kTryAgain, command.argv[0] + ": no end after " +
                                                      std::to_string(command.deadline.count()) +
                                                      " ms");
            if (fds[0].revents != 0)
                TORTIE_DO(feed(input));
            if (fds[1].revents != 0)
                TORTIE_DO(drain(out_, result.output, command.max_output_bytes));
            if (fds[2].revents != 0)
                TORTIE_DO(drain(err_, result.diagnostics, kMaxDiagnosticsBytes));
        }
        result.status = reap();
        return result;
    }

private:
    Child(pid_t pid, UniqueFd in, UniqueFd out, UniqueFd err)
        : pid_(pid), in_(std::move(in)), out_(std::move(out)), err_(std::move(err))
    {
    }

    // A child that does not read all of its input is not an error; its status tells. One that gets
    // only a part of it is: it would take that for the whole.
    Result<> feed(std::string_view &input)
    {
        const ssize_t put = ::write(in_.get(), input.data(), input.size());
        if (put >= 0)
            input.remove_prefix(static_cast<std::size_t>(put));
        else if (errno == EPIPE)
            input = {};
        else if (errno != EINTR && errno != EAGAIN)
            return fail_errno(errno, "write to child");
        return {};
    }

    static Result<> drain(UniqueFd &fd, std::string &into, std::size_t max_bytes)
    {
        std::array<char, 65536> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read()
        const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            return {};
        if (got < 0)
            return fail_errno(errno, "read from child");
        if (got == 0)
            fd = UniqueFd();
        else if (into.size() + static_cast<std::size_t>(got) <= max_bytes)
            into.append(chunk.data(), static_cast<std::size_t>(got));
        else
            return fail(ErrorKind::kSystem,
                        "child wrote more than " + std::to_string(max_bytes) + " bytes");
        return {};
    }

    int reap()
    {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

    pid_t pid_ = -1;
    UniqueFd in_;
    UniqueFd out_;
    UniqueFd err_;
};

bool only_root_may_change(const std::string &path)
{
    struct stat st {};
    return ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 &&
           st.st_uid == 0 && (st.st_mode & 0022) == 0;
}

}  // namespace

std::vector<std::string> minimal_environment()
{
    return {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
}

Result<Exit> run_command(const Command &command)
{
    // A child that does not read its input to the end must not end us.
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    struct sigaction before {};
    ::sigaction(SIGPIPE, &ignore, &before);
    ScopeExit restore([&] { ::sigaction(SIGPIPE, &before, nullptr); });
    TORTIE_TRY(Child child, Child::start(command));
    return child.talk(command);
}

Result<std::string> find_program(std::string_view name, std::string_view path)
{
    std::vector<std::string_view> directories = split(path, ':');
    for (const std::string_view usual : {"/usr/sbin", "/sbin", "/usr/bin", "/bin"})
        directories.push_back(usual);
    for (const std::string_view directory : directories) {
        if (!directory.starts_with('/'))
            continue;
        std::string candidate = std::string(directory) + '/' + std::string(name);
        if (only_root_may_change(candidate))
            return candidate;
    }
    return fail(ErrorKind::kNotFound,
                "program " + std::string(name) + " not found in PATH and the system's directories");
}

}  // namespace tortie
