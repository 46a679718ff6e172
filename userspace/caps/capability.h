// SPDX-License-Identifier: Apache-2.0
//
// What the running kernel may be able to do, and what was found out about it. One list; names,
// purposes and everything that walks over capabilities come from it.
//
// Three answers, because "no" and "could not be told" lead to different places: a node that may
// not be asked is a broken installation, not an old kernel.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie::caps {

// X(enumerator, name, what it is for). The names stand in reports, in TORTIE_DISABLE and in the
// expectations of the kernel matrix.
#define TORTIE_CAPABILITIES(X)                                                                  \
    X(kBpfSyscall, "bpf_syscall", "maps and programs at all")                                   \
    X(kMemcgCharging, "memcg_charging", "maps count in the cgroup, not against RLIMIT_MEMLOCK") \
    X(kMemlock, "memlock", "RLIMIT_MEMLOCK can be raised, where maps count against it")         \
    X(kBpffs, "bpffs", "where maps and programs outlive their process")                         \
    X(kBpffsMounted, "bpffs_mounted", "/sys/fs/bpf is such a place")                            \
    X(kKernelBtf, "kernel_btf", "types of the kernel: one object fits every kernel")            \
    X(kModuleBtf, "module_btf", "types of modules: ct_kfuncs where nf_conntrack is one")        \
    X(kGlobalData, "global_data", "constants that the loader sets in a program")                \
    X(kLruHash, "lru_hash", "the flow table")                                                   \
    X(kRingBuffer, "ring_buffer", "sampled events")                                             \
    X(kSchedCls, "sched_cls", "programs at an interface")                                       \
    X(kClsact, "clsact", "where they hang: qdisc clsact")                                       \
    X(kClsBpf, "cls_bpf", "and the filter that runs them")                                      \
    X(kTcxLink, "tcx_link", "where they hang, newer: cheaper, beside those of others")          \
    X(kRedirectPeer, "redirect_peer", "into the pod, past the host's end of the link")          \
    X(kRedirectNeigh, "redirect_neigh", "out to the next hop")                                  \
    X(kFibLookup, "fib_lookup", "the next hop, and whether an address is the node's")           \
    X(kJiffies64, "jiffies64", "a clock that costs nothing")                                    \
    X(kKernelRead, "kernel_read", "programs see what stands in a packet's way")                 \
    X(kCtKfuncs, "ct_kfuncs", "programs ask connection tracking: flows are adopted")            \
    X(kCgroup2, "cgroup2", "where hooks for the node's own processes hang")                     \
    X(kCgroupLink, "cgroup_link", "hooks that stay when their process ends")                    \
    X(kCgroupConnect, "cgroup_connect", "127.0.0.1 and ::1 of the node: connect()")             \
    X(kCgroupSendmsg, "cgroup_sendmsg", "the same for sendmsg() of UDP")                        \
    X(kCgroupRecvmsg, "cgroup_recvmsg", "and the way back, recvmsg()")                          \
    X(kCgroupGetpeername, "cgroup_getpeername", "and getpeername()")                            \
    X(kNetnsCookie, "netns_cookie", "hooks leave processes in pods alone")                      \
    X(kNetkit, "netkit", "pod links that need no second pass for replies")                      \
    X(kNftMap, "nft_map", "all host ports in one rule: the nftables tier")                      \
    X(kNftNetdev, "nft_netdev", "rules at the ingress of an interface")                         \
    X(kIptablesNft, "iptables_nft", "the iptables tier, over nf_tables")                        \
    X(kIptablesLegacy, "iptables_legacy", "the iptables tier, over the legacy tables")          \
    X(kConntrackNetlink, "conntrack_netlink", "flows of removed ports are ended")               \
    X(kOpenat2, "openat2", "files in a directory of others are opened at no other place")       \
    X(kNoLockdown, "no_lockdown", "the kernel is not locked down")

enum class Capability {
#define TORTIE_ENUMERATOR(enumerator, name, purpose) enumerator,
    TORTIE_CAPABILITIES(TORTIE_ENUMERATOR)
#undef TORTIE_ENUMERATOR
};

inline constexpr std::array kCapabilityNames = {
#define TORTIE_NAME(enumerator, name, purpose) std::string_view(name),
    TORTIE_CAPABILITIES(TORTIE_NAME)
#undef TORTIE_NAME
};
constexpr std::size_t kCapabilities = kCapabilityNames.size();

std::string_view name_of(Capability capability);
std::string_view purpose_of(Capability capability);
std::optional<Capability> find_capability(std::string_view name);

enum class Support { kYes, kNo, kUnknown };

std::string_view name_of(Support support);  // yes, no, unknown
std::optional<Support> find_support(std::string_view name);

constexpr std::size_t kMaxEvidenceBytes = 300;

struct Finding {
    Support support = Support::kUnknown;
    std::string evidence = "not asked";  // one line: what was done and what it answered

    friend bool operator==(const Finding &, const Finding &) = default;
};

// One finding for each capability.
class Findings {
public:
    Finding &operator[](Capability capability)
    {
        return findings_[static_cast<std::size_t>(capability)];
    }
    const Finding &operator[](Capability capability) const
    {
        return findings_[static_cast<std::size_t>(capability)];
    }
    bool has(Capability capability) const { return (*this)[capability].support == Support::kYes; }

    friend bool operator==(const Findings &, const Findings &) = default;

private:
    std::array<Finding, kCapabilities> findings_;
};

// In the order of the list.
constexpr std::array<Capability, kCapabilities> all_capabilities()
{
    std::array<Capability, kCapabilities> all{};
    for (std::size_t i = 0; i < all.size(); i++)
        all[i] = static_cast<Capability>(i);
    return all;
}

// Capabilities that are not to be used although the kernel has them, so that a fallback can be
// tried on a kernel that needs none.
using CapabilitySet = std::bitset<kCapabilities>;

// "tcx_link,lru_hash", as in TORTIE_DISABLE; white space and empty names do not matter.
// Errors: kInvalidInput, with the list of names.
Result<CapabilitySet> parse_capabilities(std::string_view text);

// What `set` names is a no from here on.
void switch_off(Findings &findings, const CapabilitySet &set);

}  // namespace tortie::caps
