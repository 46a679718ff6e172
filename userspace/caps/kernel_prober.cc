// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "caps/prober.h"
#include "caps/probes.h"

namespace tortie::caps {
namespace {

struct Question {
    Capability capability;
    Finding (*ask)(const Scratch &);
};

// In this order: memory before maps; what is mounted before what can be; and conntrack, which
// loads nf_conntrack, before its functions.
constexpr std::array kQuestions = {
    Question{Capability::kMemlock, probe_memlock},
    Question{Capability::kBpfSyscall, probe_bpf_syscall},
    Question{Capability::kMemcgCharging, probe_memcg_charging},
    Question{Capability::kBpffsMounted, probe_bpffs_mounted},
    Question{Capability::kBpffs, probe_bpffs},
    Question{Capability::kKernelBtf, probe_kernel_btf},
    Question{Capability::kGlobalData, probe_global_data},
    Question{Capability::kLruHash, probe_lru_hash},
    Question{Capability::kRingBuffer, probe_ring_buffer},
    Question{Capability::kSchedCls, probe_sched_cls},
    Question{Capability::kClsact, probe_clsact},
    Question{Capability::kClsBpf, probe_cls_bpf},
    Question{Capability::kTcxLink, probe_tcx_link},
    Question{Capability::kRedirectPeer, probe_redirect_peer},
    Question{Capability::kRedirectNeigh, probe_redirect_neigh},
    Question{Capability::kFibLookup, probe_fib_lookup},
    Question{Capability::kJiffies64, probe_jiffies64},
    Question{Capability::kKernelRead, probe_kernel_read},
    Question{Capability::kConntrackNetlink, probe_conntrack_netlink},
    Question{Capability::kNftMap, probe_nft_map},
    Question{Capability::kNftNetdev, probe_nft_netdev},
    Question{Capability::kCtKfuncs, probe_ct_kfuncs},
    Question{Capability::kModuleBtf, probe_module_btf},
    Question{Capability::kCgroup2, probe_cgroup2},
    Question{Capability::kCgroupLink, probe_cgroup_link},
    Question{Capability::kCgroupConnect, probe_cgroup_connect},
    Question{Capability::kCgroupSendmsg, probe_cgroup_sendmsg},
    Question{Capability::kCgroupRecvmsg, probe_cgroup_recvmsg},
    Question{Capability::kCgroupGetpeername, probe_cgroup_getpeername},
    Question{Capability::kNetnsCookie, probe_netns_cookie},
    Question{Capability::kNetkit, probe_netkit},
    Question{Capability::kOpenat2, probe_openat2},
    Question{Capability::kNoLockdown, probe_no_lockdown},
    Question{Capability::kIptablesNft, probe_iptables_nft},
    Question{Capability::kIptablesLegacy, probe_iptables_legacy},
};

constexpr bool every_capability_is_asked_once()
{
    std::array<int, kCapabilities> asked{};
    for (const Question &question : kQuestions)
        asked[static_cast<std::size_t>(question.capability)]++;
    for (const int times : asked) {
        if (times != 1)
            return false;
    }
    return true;
}
static_assert(every_capability_is_asked_once());

// A kernel that does not answer ends the child, not us.
constexpr int kDeadlineSeconds = 10;
constexpr std::size_t kMaxAnswerBytes = kCapabilities * (kMaxEvidenceBytes + 16);

std::string one_line(std::string_view text)
{
    std::string line(text.substr(0, kMaxEvidenceBytes));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
    return line;
}

// "<number of the capability> <answer> <evidence>", a line each.
[[noreturn]] void answer_all(const std::string &search_path, int out)
{
    const Scratch scratch = Scratch::enter(search_path);
    for (const Question &question : kQuestions) {
        const Finding finding = question.ask(scratch);
        std::string line = std::to_string(static_cast<std::size_t>(question.capability));
        line.append(" ").append(name_of(finding.support)).append(" ");
        line.append(one_line(finding.evidence)).append("\n");
        if (!write_all(out, line, "answer"))
            ::_exit(1);
    }
    ::_exit(0);
}

// Dies with its parent and at its deadline.
void bind_to(pid_t parent)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(1);
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(SIGALRM, &by_default, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::alarm(kDeadlineSeconds);
}

void take_line(Findings &findings, std::string_view line)
{
    const std::size_t first = line.find(' ');
    const std::size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
    if (second == line.npos)
        return;
    const auto number = parse_number<std::size_t>(line.substr(0, first));
    const auto support = find_support(line.substr(first + 1, second - first - 1));
    if (number && *number < kCapabilities && support)
        findings[static_cast<Capability>(*number)] = {*support,
                                                      std::string(line.substr(second + 1))};
}

Findings all_unknown(const std::string &evidence)
{
    Findings findings;
    for (const Capability capability : all_capabilities())
        findings[capability] = {Support::kUnknown, evidence};
    return findings;
}

std::string how_it_ended(int status)
{
    if (WIFSIGNALED(status))
        return "probing was ended by signal " + std::to_string(WTERMSIG(status));
    return "probing ended early";
}

class KernelProber : public Prober {
public:
    explicit KernelProber(std::string search_path) : search_path_(std::move(search_path)) {}

    Findings probe() override
    {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) < 0)
            return all_unknown(Error::from_errno(errno, "make a pipe").what());
        const UniqueFd in(ends[0]);
        UniqueFd out(ends[1]);
        const pid_t parent = ::getpid();
        const pid_t child = ::fork();
        if (child < 0)
            return all_unknown(Error::from_errno(errno, "start probing").what());
        if (child == 0) {
            bind_to(parent);
            answer_all(search_path_, out.get());
        }
        out = UniqueFd();
        return listen(in.get(), child);
    }

private:
    static Findings listen(int in, pid_t child)
    {
        const auto text = read_to_end(in, kMaxAnswerBytes, "answers");
        if (!text)
            ::kill(child, SIGKILL);
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        Findings findings = all_unknown(text ? how_it_ended(status) : text.error().what());
        if (text) {
            for (const std::string_view line : split(*text, '\n'))
                take_line(findings, line);
        }
        return findings;
    }

    std::string search_path_;
};

}  // namespace

std::unique_ptr<Prober> kernel_prober(std::string search_path)
{
    return std::make_unique<KernelProber>(std::move(search_path));
}

}  // namespace tortie::caps
