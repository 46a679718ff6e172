// SPDX-License-Identifier: Apache-2.0
#include "caps/decision.h"

#include <algorithm>
#include <array>

namespace tortie::caps {
namespace {

constexpr std::array<std::string_view, 4> kDatapathNames = {"auto", "ebpf", "ebpf-full",
                                                            "netfilter"};
constexpr std::array<std::string_view, 2> kNetfilterNames = {"nftables", "iptables"};
constexpr std::array<std::string_view, 3> kEbpfNames = {"none", "adopted", "full"};
constexpr std::array<std::string_view, 3> kAttachNames = {"none", "tcx", "clsact"};

// What every program of ours needs. Memory and a place to hang at have two ways each.
constexpr std::array kProgramNeeds = {
    Capability::kBpfSyscall,   Capability::kSchedCls,      Capability::kKernelBtf,
    Capability::kGlobalData,   Capability::kLruHash,       Capability::kRingBuffer,
    Capability::kRedirectPeer, Capability::kRedirectNeigh, Capability::kFibLookup,
    Capability::kJiffies64,    Capability::kKernelRead,    Capability::kBpffsMounted,
};

constexpr std::array kHookNeeds = {
    Capability::kCgroup2,       Capability::kCgroupLink,    Capability::kCgroupConnect,
    Capability::kCgroupSendmsg, Capability::kCgroupRecvmsg, Capability::kCgroupGetpeername,
    Capability::kNetnsCookie,
};

// The first of several that is not a yes.
template <std::size_t size>
std::optional<Capability> first_missing(const Findings &findings,
                                        const std::array<Capability, size> &needs)
{
    const auto *const found = std::find_if(needs.begin(), needs.end(),
                                           [&](Capability need) { return !findings.has(need); });
    if (found == needs.end())
        return std::nullopt;
    return *found;
}

Attach choose_attach(const Findings &findings)
{
    if (findings.has(Capability::kTcxLink))
        return Attach::kTcx;
    if (findings.has(Capability::kClsact) && findings.has(Capability::kClsBpf))
        return Attach::kClsact;
    return Attach::kNone;
}

// Of two capabilities that do the same: none when one is there, else the one whose answer is less
// of a no, so that "could not be told" is not hidden by its neighbour.
std::optional<Capability> missing_of_two(const Findings &findings, Capability a, Capability b)
{
    if (findings.has(a) || findings.has(b))
        return std::nullopt;
    return findings[b].support == Support::kUnknown ? b : a;
}

std::optional<Capability> missing_for_programs(const Findings &findings)
{
    if (const auto missing = first_missing(findings, kProgramNeeds))
        return missing;
    if (const auto missing =
            missing_of_two(findings, Capability::kMemcgCharging, Capability::kMemlock))
        return missing;
    if (choose_attach(findings) != Attach::kNone)
        return std::nullopt;
    const Capability clsact =
        findings.has(Capability::kClsact) ? Capability::kClsBpf : Capability::kClsact;
    return missing_of_two(findings, clsact, Capability::kTcxLink);
}

std::string missing_text(const Findings &findings, Capability missing)
{
    const Finding &finding = findings[missing];
    std::string text(name_of(missing));
    text += finding.support == Support::kNo ? " is not there (" : " could not be told (";
    text.append(finding.evidence).append(")");
    if (missing == Capability::kBpffsMounted && findings.has(Capability::kBpffs))
        text.append(": mount -t bpf bpf /sys/fs/bpf");
    return text;
}

struct Programs {
    Ebpf ebpf = Ebpf::kNone;
    std::string reason;
    std::optional<Capability> missing;  // why not, when it is a capability
};

Programs choose_programs(const Findings &findings, const Wishes &wishes)
{
    if (wishes.datapath == Datapath::kNetfilter)
        return {.ebpf = Ebpf::kNone, .reason = "netfilter is asked for", .missing = {}};
    if (const auto missing = missing_for_programs(findings))
        return {
            .ebpf = Ebpf::kNone, .reason = missing_text(findings, *missing), .missing = missing};
    if (wishes.datapath == Datapath::kEbpfFull)
        return {.ebpf = Ebpf::kFull, .reason = "ebpf-full is asked for", .missing = {}};
    if (findings.has(Capability::kCtKfuncs))
        return {.ebpf = Ebpf::kAdopted,
                .reason = "the kernel has what adopting flows needs",
                .missing = {}};
    std::string reason = missing_text(findings, Capability::kCtKfuncs);
    if (wishes.others_filter)
        return {.ebpf = Ebpf::kNone,
                .reason = reason.append("; full mode only where nobody else filters"),
                .missing = Capability::kCtKfuncs};
    return {.ebpf = Ebpf::kFull,
            .reason = reason.append("; nobody else filters, so programs take whole flows"),
            .missing = Capability::kCtKfuncs};
}

struct Tier {
    Netfilter netfilter = Netfilter::kNftables;
    std::string reason;
};

Tier choose_netfilter(const Findings &findings, const Wishes &wishes)
{
    if (wishes.netfilter)
        return {*wishes.netfilter, std::string(name_of(*wishes.netfilter)) + " is asked for"};
    if (findings.has(Capability::kNftMap))
        return {Netfilter::kNftables, "nf_tables has maps"};
    std::string reason = missing_text(findings, Capability::kNftMap);
    const bool iptables =
        findings.has(Capability::kIptablesNft) || findings.has(Capability::kIptablesLegacy);
    if (findings[Capability::kNftMap].support == Support::kNo)
        return {Netfilter::kIptables,
                iptables ? std::move(reason) : reason.append("; nor was an iptables found")};
    return {Netfilter::kNftables, reason.append("; it is tried at each call")};
}

}  // namespace

std::string_view name_of(Datapath datapath)
{
    return kDatapathNames[static_cast<std::size_t>(datapath)];
}

std::optional<Datapath> find_datapath(std::string_view name)
{
    const auto *const found = std::find(kDatapathNames.begin(), kDatapathNames.end(), name);
    if (found == kDatapathNames.end())
        return std::nullopt;
    return static_cast<Datapath>(found - kDatapathNames.begin());
}

std::string_view name_of(Netfilter netfilter)
{
    return kNetfilterNames[static_cast<std::size_t>(netfilter)];
}

std::string_view name_of(Ebpf ebpf)
{
    return kEbpfNames[static_cast<std::size_t>(ebpf)];
}

std::string_view name_of(Attach attach)
{
    return kAttachNames[static_cast<std::size_t>(attach)];
}

Result<Decision> decide(const Findings &findings, const Wishes &wishes)
{
    Programs programs = choose_programs(findings, wishes);
    const bool must = wishes.datapath == Datapath::kEbpf || wishes.datapath == Datapath::kEbpfFull;
    if (must && programs.ebpf == Ebpf::kNone)
        return fail(ErrorKind::kUnsupported,
                    "datapath " + std::string(name_of(wishes.datapath)) + ": " + programs.reason);
    Tier tier = choose_netfilter(findings, wishes);

    Decision decision;
    decision.netfilter = tier.netfilter;
    decision.ebpf = programs.ebpf;
    decision.full_possible = !missing_for_programs(findings);
    if (programs.ebpf != Ebpf::kNone) {
        decision.attach = choose_attach(findings);
        decision.cgroup_hooks = !first_missing(findings, kHookNeeds);
    }
    const auto unknown = [&](Capability capability) {
        return findings[capability].support == Support::kUnknown;
    };
    decision.certain = !(programs.missing && unknown(*programs.missing)) &&
                       (wishes.netfilter || !unknown(Capability::kNftMap));
    decision.reason = std::move(programs.reason) + "; underneath: " + std::move(tier.reason);
    return decision;
}

}  // namespace tortie::caps
