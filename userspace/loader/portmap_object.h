// SPDX-License-Identifier: Apache-2.0
//
// The port mapping's BPF object (bpf/portmap.bpf.c) on a node: loading it the first time, and the
// maps that it shares with user space. What stands in them is in bpf/shared/portmap_types.h.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "loader/attach.h"
#include "loader/pins.h"
#include "loader/typed_map.h"
#include "shared/portmap_counters.h"
#include "shared/portmap_types.h"

namespace tortie {

constexpr unsigned kPortmapAbi = TORTIE_BPF_ABI;

// Its programs and where they are attached: ingress of an uplink, ingress of a pod's host veth.
inline constexpr HookedProgram kUplinkProgram = {.program = "tt_pm_ingress"};
inline constexpr HookedProgram kPodProgram = {.program = "tt_pm_reply", .rank = 1};

// Loads the object and pins its maps and programs in `fresh`; for PinRoot::make(). Have conntrack
// in the kernel before: what the programs can ask it is settled here.
// Errors: those of BpfObject; kUnsupported when the kernel cannot.
Result<> load_portmap(const PinFolder &fresh);

using PodAddress = std::array<std::uint8_t, 16>;  // network order, IPv4 v4-mapped

// What user space writes, opened at its pins: nothing is loaded or parsed for it.
struct PortmapMaps {
    TypedMap<pm_hostport_key, pm_hostport> hostports;
    TypedMap<pm_podport_key, pm_podport> podports;
    TypedMap<PodAddress, pm_pod> pods;
    TypedMap<std::uint32_t, pm_uplink> uplinks;  // by ifindex
    MappedVariables<pm_state> state;

    // Errors: kNotFound when the folder is not there.
    static Result<PortmapMaps> open(const PinFolder &folder);
};

// What the programs write.
struct PortmapFlows {
    TypedMap<pm_tuple4, pm_flow4> ipv4;
    TypedMap<pm_tuple6, pm_flow6> ipv6;

    static Result<PortmapFlows> open(const PinFolder &folder);
};

// How often each enum pm_count happened, over all CPUs.
Result<std::array<std::uint64_t, TORTIE_PM_COUNT_END>> read_portmap_counts(const PinFolder &folder);

// The clock of the flow entries, now; also left in `state`.
struct PortmapClock {
    std::uint64_t jiffies = 0;
    std::uint64_t monotonic_ns = 0;
};
Result<PortmapClock> read_portmap_clock(const PinFolder &folder,
                                        const MappedVariables<pm_state> &state);

}  // namespace tortie
