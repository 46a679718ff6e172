// SPDX-License-Identifier: Apache-2.0
//
// From what a kernel can and what is wished for to the way host ports are carried. Pure: nothing
// is asked or read here, so every outcome is a line in a test.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "caps/capability.h"

namespace tortie::caps {

// The key `datapath` of the network configuration.
enum class Datapath { kAuto, kEbpf, kEbpfFull, kNetfilter };

std::string_view name_of(Datapath datapath);  // auto, ebpf, ebpf-full, netfilter
std::optional<Datapath> find_datapath(std::string_view name);

// What lies underneath, and carries what the programs do not.
enum class Netfilter { kNftables, kIptables };

std::string_view name_of(Netfilter netfilter);

// kAdopted: netfilter accepts a flow, programs carry what follows. kFull: programs take a flow
// from its first packet, which nobody else on the node then sees.
enum class Ebpf { kNone, kAdopted, kFull };

std::string_view name_of(Ebpf ebpf);  // none, adopted, full

enum class Attach { kNone, kTcx, kClsact };

std::string_view name_of(Attach attach);  // none, tcx, clsact

struct Wishes {
    Datapath datapath = Datapath::kAuto;
    std::optional<Netfilter> netfilter;  // `backend` of the configuration

    // Somebody else filters, shapes or counts what is forwarded. True as long as nobody has looked.
    bool others_filter = true;
};

struct Decision {
    Netfilter netfilter = Netfilter::kNftables;
    Ebpf ebpf = Ebpf::kNone;
    Attach attach = Attach::kNone;
    bool cgroup_hooks = false;
    bool full_possible = false;  // the kernel has what full mode needs
    bool certain = true;         // no answer that counted was missing
    std::string reason;          // one line, for people

    friend bool operator==(const Decision &, const Decision &) = default;
};

// kNetfilter: no programs. kAuto: adopted; where the kernel cannot do that, full when nobody else
// filters; else none. kEbpf: the same, and none is an error. kEbpfFull: full, whoever filters.
//
// Netfilter's tier is the one that is wished for, else nftables, else iptables when nf_tables is
// a no and an iptables is a yes.
// Errors: kUnsupported, with the first capability that is missing and its evidence.
Result<Decision> decide(const Findings &findings, const Wishes &wishes);

}  // namespace tortie::caps
