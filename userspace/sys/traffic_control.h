// SPDX-License-Identifier: Apache-2.0
//
// BPF programs as filters of a device's clsact qdisc, and what else stands at that place. Of the
// namespace in which the socket (NETLINK_ROUTE) was opened.
// Source: tc-bpf(8), include/uapi/linux/pkt_sched.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/netlink.h"

namespace tortie {

// Where a packet is seen: on its way from the device into the node, or out of the node into it.
enum class TcHook : std::uint8_t { kIngress, kEgress };

// Where filters are told apart. Lower priorities run first; a filter is one of its priority.
struct TcSlot {
    std::uint16_t priority = 0;
    std::uint32_t handle = 0;

    friend bool operator==(const TcSlot &, const TcSlot &) = default;
};

struct TcFilter {
    TcSlot slot;
    std::string kind;              // "bpf", "u32", ...
    std::string name;              // of a bpf filter: what its maker called it
    std::uint32_t program_id = 0;  // of a bpf filter
};

// In the order in which they run; none without a clsact or ingress qdisc.
// Errors: kNotFound when the device is gone.
Result<std::vector<TcFilter>> list_tc_filters(NetlinkSocket &route, int ifindex, TcHook hook);

// Afterwards the program is the filter `name` at the slot, with the clsact qdisc under it.
// Errors: kExists when something is at the slot (unless it is to be replaced, which is one step:
// no packet passes between), kNotFound when the device is gone, kUnsupported when the kernel has
// no clsact or no bpf filter.
enum class IfSlotTaken { kFail, kReplace };
Result<> put_bpf_filter(NetlinkSocket &route, int ifindex, TcHook hook, TcSlot slot, int program_fd,
                        std::string_view name, IfSlotTaken then);

// Success when there is none, or no device. The qdisc stays: others may have found it useful.
Result<> delete_tc_filter(NetlinkSocket &route, int ifindex, TcHook hook, TcSlot slot);

}  // namespace tortie
