// SPDX-License-Identifier: Apache-2.0
#include "fault/tracer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"
#include "fault/tracee.h"

namespace tortie::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC |
                          PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
constexpr int kSyscallStop = SIGTRAP | 0x80;

// A file in memory instead of pipes: a pipe's reader and writer take turns as the scheduler
// likes, and the number of reads would differ from run to run.
Result<UniqueFd> memory_file(std::string_view content)
{
    UniqueFd fd(::memfd_create("tortie-fault", MFD_CLOEXEC));
    if (!fd.valid())
        return fail_errno(errno, "memfd_create");
    TORTIE_DO(write_all(fd.get(), content, "memory file"));
    if (::lseek(fd.get(), 0, SEEK_SET) < 0)
        return fail_errno(errno, "rewind memory file");
    return fd;
}

Result<std::string> content_of(const UniqueFd &fd)
{
    if (::lseek(fd.get(), 0, SEEK_SET) < 0)
        return fail_errno(errno, "rewind memory file");
    return read_to_end(fd.get(), std::size_t{64} << 20, "memory file");
}

struct Streams {
    UniqueFd in;
    UniqueFd out;
    UniqueFd err;
};

std::vector<char *> pointers(std::vector<std::string> &texts)
{
    std::vector<char *> out;
    out.reserve(texts.size() + 1);
    for (std::string &text : texts)
        out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

Result<pid_t> start(const PluginCall &call, const Streams &streams)
{
    std::vector<std::string> words = {call.binary};
    words.insert(words.end(), call.arguments.begin(), call.arguments.end());
    std::vector<std::string> variables;
    variables.reserve(call.env.size());
    for (const auto &[key, value] : call.env)
        variables.emplace_back(key).append("=").append(value);
    const std::vector<char *> argv = pointers(words);
    const std::vector<char *> envp = pointers(variables);

    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno(errno, "fork");
    if (pid == 0) {
        if (::dup2(streams.in.get(), 0) == 0 && ::dup2(streams.out.get(), 1) == 1 &&
            ::dup2(streams.err.get(), 2) == 2 && ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0)
            ::kill(::getpid(), SIGSTOP);
        ::execve(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
    return pid;
}

// Ends a blocking waitpid() every now and then, so that the deadline is looked at.
class Alarm {
public:
    Alarm()
    {
        struct sigaction quiet {};
        quiet.sa_handler = [](int) {};
        ::sigaction(SIGALRM, &quiet, &before_);
        set_interval_us(100'000);
    }
    ~Alarm()
    {
        set_interval_us(0);
        ::sigaction(SIGALRM, &before_, nullptr);
    }
    Alarm(const Alarm &) = delete;
    Alarm &operator=(const Alarm &) = delete;
    Alarm(Alarm &&) = delete;
    Alarm &operator=(Alarm &&) = delete;

private:
    static void set_interval_us(suseconds_t us)
    {
        const itimerval every{.it_interval = {.tv_sec = 0, .tv_usec = us},
                              .it_value = {.tv_sec = 0, .tv_usec = us}};
        ::setitimer(ITIMER_REAL, &every, nullptr);
    }

    struct sigaction before_ {};
};

class Session {
public:
    Session(pid_t plugin, Disturbance disturbance, Clock::time_point deadline)
        : plugin_(plugin), disturbance_(disturbance), deadline_(deadline)
    {
    }

    // Follows every process to its end.
    Result<Trace> follow()
    {
        const Alarm alarm;
        bool late = false;
        for (;;) {
            int status = 0;
            const pid_t pid = ::waitpid(-1, &status, __WALL);
            if (pid > 0)
                on_change(pid, status);
            else if (errno == ECHILD)
                break;
            else if (errno != EINTR)
                return fail_errno(errno, "wait for the traced processes");
            if (!late && Clock::now() > deadline_) {
                late = true;
                kill_all();
            }
        }
        if (late)
            return fail(ErrorKind::kTryAgain, "the plugin has not ended in time");
        return std::move(trace_);
    }

private:
    struct Process {
        std::size_t number = 0;
        bool started = false;  // its first stop is over
        bool counts = false;   // its calls are the plugin's
        bool in_call = false;
        bool kill_at_exit = false;
        std::optional<std::int64_t> result;              // what the call that runs has to return
        std::map<std::uint64_t, std::uint32_t> netlink;  // its netlink sockets, and their ports
    };

    void on_change(pid_t pid, int status)
    {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == plugin_)
                trace_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            processes_.erase(pid);
            return;
        }
        if (!WIFSTOPPED(status))
            return;
        Process &process = known(pid);
        const int signal = WSTOPSIG(status);
        const int event = status >> 16;
        if (signal == kSyscallStop) {
            on_call(pid, process);
            proceed(pid, 0);
        } else if (event == PTRACE_EVENT_EXEC && pid != plugin_) {
            processes_.erase(pid);
            ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
        } else if (event == PTRACE_EVENT_EXEC) {
            process.counts = true;
            process.in_call = true;  // what comes next is the exit of this execve()
            proceed(pid, 0);
        } else {
            // Births and the first stop are ours, every other signal is the process's own.
            const bool ours = event != 0 || (signal == SIGSTOP && !process.started);
            process.started = true;
            proceed(pid, ours ? 0 : signal);
        }
    }

    Process &known(pid_t pid)
    {
        const auto found = processes_.find(pid);
        if (found != processes_.end())
            return found->second;
        Process process;
        process.number = trace_.calls.size();
        process.counts = pid != plugin_;  // a child is the plugin's own code until its execve()
        trace_.calls.emplace_back();
        if (pid == plugin_)
            ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, kOptions);
        return processes_.emplace(pid, process).first->second;
    }

    void proceed(pid_t pid, int signal)
    {
        // Fails when the process was killed while it stood still; its end is reported then.
        ::ptrace(PTRACE_SYSCALL, pid, nullptr, static_cast<long>(signal));
    }

    void on_call(pid_t pid, Process &process)
    {
        __ptrace_syscall_info info{};
        if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
            return;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY && process.counts) {
            SystemCall call;
            call.number = info.entry.nr;
            std::copy(std::begin(info.entry.args), std::end(info.entry.args), call.args.begin());
            call.on_netlink = process.netlink.contains(call.args[0]);
            process.in_call = true;
            on_entry(pid, process, call);
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && process.in_call) {
            process.in_call = false;
            on_exit(pid, process, info.exit.rval);
        }
    }

    void on_entry(pid_t pid, Process &process, const SystemCall &call)
    {
        auto &calls = trace_.calls[process.number];
        calls.push_back(call);
        if (is_meant(process, call))
            disturb(pid, process, call);
        else if (refused_ && call.on_netlink)
            answer_refused(pid, process, call);
    }

    // `call` is the last one of its process.
    bool is_meant(const Process &process, const SystemCall &call)
    {
        const CallSite &at = disturbance_.at;
        if (disturbance_.kind == Disturbance::Kind::kNone || at.process != process.number ||
            (at.number && *at.number != call.number))
            return false;
        return passed_++ == at.index;
    }

    void disturb(pid_t pid, Process &process, const SystemCall &call)
    {
        trace_.disturbed = true;
        switch (disturbance_.kind) {
        case Disturbance::Kind::kNone:
            break;
        case Disturbance::Kind::kKillAtEntry:
            ::kill(pid, SIGKILL);
            break;
        case Disturbance::Kind::kKillAtExit:
            process.kill_at_exit = true;
            break;
        case Disturbance::Kind::kFail:
            pretend(pid, process, -disturbance_.error);
            break;
        case Disturbance::Kind::kRefuse:
            refused_ = call.on_netlink ? request_of(pid, call) : std::nullopt;
            if (refused_) {
                refused_->error = disturbance_.error;
                refused_->header.nlmsg_pid = process.netlink.at(call.args[0]);
                pretend(pid, process, static_cast<std::int64_t>(refused_->bytes));
            }
            break;
        }
    }

    void answer_refused(pid_t pid, Process &process, const SystemCall &call)
    {
        bool peeked = false;
        const auto length = deliver_refusal(pid, call, *refused_, peeked);
        if (!length)
            return;
        pretend(pid, process, *length);
        if (!peeked)
            refused_.reset();
    }

    void pretend(pid_t pid, Process &process, std::int64_t result)
    {
        if (skip_call(pid))
            process.result = result;
    }

    void on_exit(pid_t pid, Process &process, std::int64_t result)
    {
        if (process.kill_at_exit) {
            ::kill(pid, SIGKILL);
            return;
        }
        if (process.result)
            set_result(pid, *std::exchange(process.result, std::nullopt));
        if (trace_.calls[process.number].empty())
            return;
        const SystemCall &call = trace_.calls[process.number].back();
        if (call.number == SYS_socket && call.args[0] == AF_NETLINK && result >= 0)
            process.netlink[static_cast<std::uint64_t>(result)] = 0;
        else if (call.number == SYS_getsockname && call.on_netlink && result == 0)
            process.netlink[call.args[0]] = netlink_port(pid, call);
        else if (call.number == SYS_close)
            process.netlink.erase(call.args[0]);
    }

    void kill_all()
    {
        for (const auto &[pid, process] : processes_)
            ::kill(pid, SIGKILL);
    }

    pid_t plugin_;
    Disturbance disturbance_;
    std::size_t passed_ = 0;  // calls that the disturbance counts
    Clock::time_point deadline_;
    std::map<pid_t, Process> processes_;
    std::optional<RefusedRequest> refused_;
    Trace trace_;
};

}  // namespace

std::string why_tracing_is_impossible()
{
    if (!knows_registers())
        return "the tracer does not know this machine's registers";
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
    int status = 0;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0)
        return "ptrace(2) is not allowed here (no CAP_SYS_PTRACE, or a seccomp filter)";
    return "";
}

Result<Trace> run_traced(const PluginCall &call, const Disturbance &disturbance)
{
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Streams streams;
    TORTIE_TRY(streams.in, memory_file(call.input));
    TORTIE_TRY(streams.out, memory_file(""));
    TORTIE_TRY(streams.err, memory_file(""));
    TORTIE_TRY(const pid_t plugin, start(call, streams));
    TORTIE_TRY(Trace trace, Session(plugin, disturbance, Clock::now() + call.deadline).follow());
    TORTIE_TRY(trace.out, content_of(streams.out));
    TORTIE_TRY(trace.err, content_of(streams.err));
    return trace;
}

}  // namespace tortie::test
