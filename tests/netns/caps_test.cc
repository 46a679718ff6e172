// SPDX-License-Identifier: Apache-2.0
//
// The prober on the kernel that runs the tests, as it is and with things taken away. What a kernel
// of another age says is for the kernel matrix.
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/pause.h"
#include "base/strings.h"
#include "caps/decision.h"
#include "caps/prober.h"
#include "harness/netns.h"
#include "netns/handicap.h"

namespace tortie::caps {
namespace {

using test::probe_with;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kAllOfBpf = std::optional<std::uint32_t>();

class KernelProber : public testing::Test {
protected:
    void SetUp() override { TORTIE_NEEDS_ROOT(); }

    // What the kernel is as it is; asked once for all tests.
    static const Findings &as_it_is()
    {
        static const Findings findings = probe_with([] {});
        return findings;
    }
};

// Of bpf(2) and what stands on it.
const std::vector<Capability> kByBpf = {
    Capability::kBpfSyscall,    Capability::kMemcgCharging,
    Capability::kBpffs,         Capability::kGlobalData,
    Capability::kLruHash,       Capability::kRingBuffer,
    Capability::kSchedCls,      Capability::kClsBpf,
    Capability::kTcxLink,       Capability::kRedirectPeer,
    Capability::kRedirectNeigh, Capability::kFibLookup,
    Capability::kJiffies64,     Capability::kKernelRead,
    Capability::kCtKfuncs,      Capability::kCgroupLink,
    Capability::kCgroupConnect, Capability::kCgroupSendmsg,
    Capability::kCgroupRecvmsg, Capability::kCgroupGetpeername,
    Capability::kNetnsCookie,
};
const std::vector<Capability> kMaps = {Capability::kBpfSyscall, Capability::kMemcgCharging,
                                       Capability::kBpffs,      Capability::kGlobalData,
                                       Capability::kLruHash,    Capability::kRingBuffer};
const std::vector<Capability> kLoaded = {
    Capability::kGlobalData,    Capability::kSchedCls,      Capability::kClsBpf,
    Capability::kTcxLink,       Capability::kRedirectPeer,  Capability::kRedirectNeigh,
    Capability::kFibLookup,     Capability::kJiffies64,     Capability::kKernelRead,
    Capability::kCtKfuncs,      Capability::kCgroupLink,    Capability::kCgroupConnect,
    Capability::kCgroupSendmsg, Capability::kCgroupRecvmsg, Capability::kCgroupGetpeername,
    Capability::kNetnsCookie};
const std::vector<Capability> kLinks = {Capability::kTcxLink, Capability::kCgroupLink};
const std::vector<Capability> kByNetfilter = {Capability::kNftMap, Capability::kNftNetdev,
                                              Capability::kConntrackNetlink};
const std::vector<Capability> kByRoute = {Capability::kClsact, Capability::kClsBpf,
                                          Capability::kNetkit};
const std::vector<Capability> kByPrograms = {Capability::kIptablesNft, Capability::kIptablesLegacy};

// Those of `touched` say `support`, wherever the kernel as it is says yes; the others say what they
// say without the handicap.
void expect_support(const Findings &found, const Findings &before,
                    const std::vector<Capability> &touched, Support support)
{
    const std::set<Capability> set(touched.begin(), touched.end());
    for (const Capability capability : all_capabilities()) {
        const bool changed =
            set.count(capability) != 0 && before[capability].support == Support::kYes;
        EXPECT_EQ(found[capability].support, changed ? support : before[capability].support)
            << name_of(capability) << ": " << found[capability].evidence;
    }
}

// Every kernel that the tests run on has these. The others depend on how it was built and what is
// mounted; each of them has its test below.
TEST_F(KernelProber, FindsWhatThisKernelHas)
{
    for (const auto &list : {kByBpf, kByNetfilter}) {
        for (const Capability capability : list)
            EXPECT_EQ(as_it_is()[capability].support, Support::kYes)
                << name_of(capability) << ": " << as_it_is()[capability].evidence;
    }
    for (const Capability capability :
         {Capability::kKernelBtf, Capability::kClsact, Capability::kOpenat2, Capability::kCgroup2,
          Capability::kIptablesNft})
        EXPECT_EQ(as_it_is()[capability].support, Support::kYes)
            << name_of(capability) << ": " << as_it_is()[capability].evidence;
}

TEST_F(KernelProber, HasEvidenceForEveryAnswer)
{
    for (const Capability capability : all_capabilities())
        EXPECT_GT(as_it_is()[capability].evidence.size(), 8U) << name_of(capability);
}

TEST_F(KernelProber, TakesAMissingSystemCallForANo)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_bpf, ENOSYS, kAllOfBpf); });

    expect_support(found, as_it_is(), kByBpf, Support::kNo);
    EXPECT_EQ(found[Capability::kBpfSyscall].evidence, "BPF_MAP_CREATE array: ENOSYS");
}

TEST_F(KernelProber, NeverTakesARefusalForANo)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_bpf, EPERM, kAllOfBpf); });

    expect_support(found, as_it_is(), kByBpf, Support::kUnknown);
    const auto decision = decide(found, {});
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->ebpf, Ebpf::kNone);
    EXPECT_FALSE(decision->certain);
    EXPECT_THAT(decision->reason, StartsWith("bpf_syscall could not be told"));
}

TEST_F(KernelProber, SaysNoWhenAKindOfMapIsUnknownToTheKernel)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_bpf, EINVAL, BPF_MAP_CREATE); });

    expect_support(found, as_it_is(), kMaps, Support::kNo);
}

TEST_F(KernelProber, SaysNoWhenAKindOfProgramIsUnknownToTheKernel)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_bpf, EINVAL, BPF_PROG_LOAD); });

    expect_support(found, as_it_is(), kLoaded, Support::kNo);
}

TEST_F(KernelProber, SaysNoWhenLinksAreUnknownToTheKernel)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_bpf, EINVAL, BPF_LINK_CREATE); });

    expect_support(found, as_it_is(), kLinks, Support::kNo);
    const auto decision = decide(found, {});
    ASSERT_TRUE(decision);
    EXPECT_FALSE(decision->cgroup_hooks);
}

TEST_F(KernelProber, CannotTellWhenLinksAreRefused)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_bpf, EPERM, BPF_LINK_CREATE); });

    expect_support(found, as_it_is(), kLinks, Support::kUnknown);
}

TEST_F(KernelProber, CannotTellWhenTheKernelHasNoMemory)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_bpf, ENOMEM, BPF_MAP_CREATE); });

    expect_support(found, as_it_is(), kMaps, Support::kUnknown);
}

TEST_F(KernelProber, FindsNoTypesInAnEmptyFolder)
{
    const Findings found = probe_with([] { test::hide("/sys/kernel/btf"); });

    EXPECT_EQ(found[Capability::kKernelBtf],
              (Finding{Support::kNo, "open /sys/kernel/btf/vmlinux: ENOENT"}));
    EXPECT_NE(found[Capability::kModuleBtf].support, Support::kYes);
}

TEST_F(KernelProber, FindsTheTypesOfAModule)
{
    const Findings found = probe_with([] {
        test::hide("/sys/kernel/btf");
        static_cast<void>(replace_file("/sys/kernel/btf/nf_conntrack", "types", 0444));
        static_cast<void>(replace_file("/sys/kernel/btf/vmlinux", "no types", 0444));
    });

    EXPECT_EQ(found[Capability::kModuleBtf],
              (Finding{Support::kYes, "list /sys/kernel/btf: nf_conntrack"}));
    EXPECT_EQ(found[Capability::kKernelBtf].support, Support::kNo);
}

TEST_F(KernelProber, TellsWhatIsMountedForPins)
{
    const Findings none = probe_with([] { test::hide("/sys/fs/bpf"); });
    const Findings writable = probe_with([] { test::mount_over("/sys/fs/bpf", "bpf"); });
    const Findings read_only =
        probe_with([] { test::mount_over("/sys/fs/bpf", "bpf", MS_RDONLY); });

    EXPECT_EQ(none[Capability::kBpffsMounted].support, Support::kNo);
    EXPECT_EQ(none[Capability::kBpffs].support, Support::kYes);
    EXPECT_EQ(writable[Capability::kBpffsMounted].support, Support::kYes);
    EXPECT_EQ(read_only[Capability::kBpffsMounted],
              (Finding{Support::kNo, "statfs(/sys/fs/bpf): bpf, mounted read-only"}));
}

// Where it is mounted already the kernel answers a second mount with EBUSY.
TEST_F(KernelProber, FindsTheHierarchyOfControlGroupsWhereTheNodeHasItMounted)
{
    const Findings found = probe_with([] { test::mount_over("/sys/fs/cgroup", "cgroup2"); });

    EXPECT_EQ(found[Capability::kCgroup2],
              (Finding{Support::kYes, "statfs(/sys/fs/cgroup): cgroup2"}));
}

TEST_F(KernelProber, CannotTellWhatCanBeMountedWhenMountingIsRefused)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_mount, EPERM); });

    for (const Capability capability :
         {Capability::kBpffs, Capability::kCgroup2, Capability::kIptablesNft})
        EXPECT_EQ(found[capability].support, Support::kUnknown) << found[capability].evidence;
    EXPECT_EQ(found[Capability::kTcxLink].support, Support::kYes);
}

TEST_F(KernelProber, AsksNothingInSomebodyElsesNamespace)
{
    const Findings found = probe_with([] { test::refuse_call(SYS_unshare, EPERM); });

    for (const auto &list : {kByNetfilter, kByRoute, kByPrograms}) {
        for (const Capability capability : list) {
            EXPECT_EQ(found[capability],
                      (Finding{Support::kUnknown, "a network namespace to probe in: EPERM"}))
                << name_of(capability);
        }
    }
    EXPECT_EQ(found[Capability::kTcxLink].support, Support::kUnknown);
    EXPECT_EQ(found[Capability::kLruHash].support, Support::kYes);
}

TEST_F(KernelProber, SaysNoWhereThereIsNoNetfilter)
{
    const Findings absent =
        probe_with([] { test::refuse_sockets(AF_NETLINK, NETLINK_NETFILTER, EPROTONOSUPPORT); });
    const Findings refused =
        probe_with([] { test::refuse_sockets(AF_NETLINK, NETLINK_NETFILTER, EPERM); });

    for (const Capability capability : kByNetfilter) {
        EXPECT_EQ(absent[capability].support, Support::kNo) << absent[capability].evidence;
        EXPECT_EQ(refused[capability].support, Support::kUnknown) << refused[capability].evidence;
    }
}

TEST_F(KernelProber, CannotTellAboutDevicesWithoutTheirSockets)
{
    const Findings refused =
        probe_with([] { test::refuse_sockets(AF_NETLINK, NETLINK_ROUTE, EACCES); });

    for (const Capability capability : kByRoute)
        EXPECT_EQ(refused[capability].support, Support::kUnknown) << refused[capability].evidence;
}

TEST_F(KernelProber, FindsNoIptablesWhereThereAreNoPrograms)
{
    const Findings found = probe_with([] { test::hide("/usr/sbin"); });

    EXPECT_EQ(found[Capability::kIptablesNft].support, Support::kNo);
    EXPECT_THAT(found[Capability::kIptablesNft].evidence, HasSubstr("xtables-nft-multi not found"));
    EXPECT_NE(found[Capability::kIptablesLegacy].support, Support::kYes);
}

TEST_F(KernelProber, TellsOpenat2ByItsAnswer)
{
    const Findings absent = probe_with([] { test::refuse_call(SYS_openat2, ENOSYS); });
    const Findings refused = probe_with([] { test::refuse_call(SYS_openat2, EPERM); });

    EXPECT_EQ(absent[Capability::kOpenat2], (Finding{Support::kNo, "openat2(/): ENOSYS"}));
    EXPECT_EQ(refused[Capability::kOpenat2], (Finding{Support::kUnknown, "openat2(/): EPERM"}));
}

TEST_F(KernelProber, ReadsHowFarTheKernelIsLockedDown)
{
    const auto with = [](const char *text) {
        return probe_with([=] {
            test::mount_over("/sys/kernel/security", "tmpfs");
            static_cast<void>(replace_file("/sys/kernel/security/lockdown", text, 0444));
        })[Capability::kNoLockdown];
    };

    EXPECT_EQ(with("[none] integrity confidentiality\n").support, Support::kYes);
    EXPECT_EQ(with("none integrity [confidentiality]\n"),
              (Finding{Support::kNo,
                       "read /sys/kernel/security/lockdown: none integrity [confidentiality]"}));
}

TEST_F(KernelProber, SaysWhatMemoryOfMapsCountsAgainst)
{
    const Findings limited = probe_with([] {
        const rlimit small{64 << 10, 64 << 10};
        ::setrlimit(RLIMIT_MEMLOCK, &small);
        test::refuse_call(SYS_prlimit64, EPERM);
        test::refuse_call(SYS_setrlimit, EPERM);
    });

    EXPECT_EQ(limited[Capability::kMemlock].support, Support::kUnknown)
        << limited[Capability::kMemlock].evidence;
    EXPECT_EQ(limited[Capability::kMemcgCharging].support, Support::kUnknown);
    EXPECT_EQ(as_it_is()[Capability::kMemcgCharging].support, Support::kYes);
}

TEST_F(KernelProber, IsNoUseToAUserWithoutPrivileges)
{
    const Findings found = probe_with([] { test::become_nobody(); });

    for (const Capability capability : all_capabilities())
        EXPECT_TRUE(found[capability].support != Support::kNo ||
                    as_it_is()[capability].support == Support::kNo)
            << name_of(capability) << ": " << found[capability].evidence;
    EXPECT_EQ(found[Capability::kSchedCls].support, Support::kUnknown);
    EXPECT_EQ(found[Capability::kNftMap].support, Support::kUnknown);
}

std::string file_text(const std::string &path)
{
    constexpr std::size_t kMaxBytes = 1 << 20;
    const auto text = read_file(path, kMaxBytes);
    return text ? *text : text.error().what();
}

TEST_F(KernelProber, LeavesThisProcessAndItsNamespacesAsTheyWere)
{
    const auto ids = [] {
        std::string all;
        for (const char *kind : {"/proc/self/ns/net", "/proc/self/ns/mnt"}) {
            struct stat st {};
            EXPECT_EQ(::stat(kind, &st), 0);
            all += std::to_string(st.st_ino) + " ";
        }
        return all;
    };
    const std::string ids_before = ids();
    const std::string mounts_before = file_text("/proc/self/mountinfo");
    const std::string rules_before =
        test::try_run_here({"nft", "list", "ruleset"}).value_or("no nft");

    kernel_prober("/usr/sbin")->probe();

    EXPECT_EQ(ids(), ids_before);
    EXPECT_EQ(file_text("/proc/self/mountinfo"), mounts_before);
    EXPECT_EQ(test::try_run_here({"nft", "list", "ruleset"}).value_or("no nft"), rules_before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

// The child of a process that probes; empty before it has one and after it ended.
std::string child_of(pid_t parent)
{
    const std::string pid = std::to_string(parent);
    return std::string(trim(file_text("/proc/" + pid + "/task/" + pid + "/children")));
}

// One that nobody has waited for yet does not run.
bool is_running(const std::string &pid)
{
    const std::string path = "/proc/" + pid + "/stat";
    return ::access(path.c_str(), F_OK) == 0 && file_text(path).find(") Z ") == std::string::npos;
}

TEST_F(KernelProber, EndsWithTheProcessThatAsked)
{
    const pid_t asking = ::fork();
    if (asking == 0) {
        for (;;)
            kernel_prober("/usr/sbin")->probe();
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::string child;
    while (parse_number<pid_t>(child) == std::nullopt && std::chrono::steady_clock::now() < end)
        child = child_of(asking);
    ASSERT_TRUE(parse_number<pid_t>(child)) << child;

    ::kill(asking, SIGKILL);
    ASSERT_EQ(::waitpid(asking, nullptr, 0), asking);

    while (is_running(child) && std::chrono::steady_clock::now() < end)
        pause_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(is_running(child));
}

}  // namespace
}  // namespace tortie::caps
