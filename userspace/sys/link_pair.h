// SPDX-License-Identifier: Apache-2.0
//
// Pairs of interfaces that are each other's wire, with their ends in two network namespaces, made
// whole by one message: names, addresses, sizes and places are right before anybody (udev, a
// network manager) can see either end. Both ends are down.
// Source: include/uapi/linux/if_link.h and veth.h; drivers/net/veth.c, drivers/net/netkit.c.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/mac_addr.h"
#include "sys/netlink.h"

namespace tortie {

struct PairEnd {
    std::string name;
    std::optional<EtherAddr> mac;  // without: one that the kernel draws
};

// `here` comes to lie in the namespace of the socket that sends the message, `there` in the one of
// the descriptor. `mtu_bytes` and `queues` are for both; 0 is the kernel's choice.
struct LinkPair {
    PairEnd here;
    PairEnd there;
    int there_netns_fd = -1;
    std::uint32_t mtu_bytes = 0;
    std::uint32_t queues = 0;
};

// Requests; EEXIST when either name is taken.
NetlinkMessage new_veth(const LinkPair &pair);

// `here` is the primary end, the one that programs are attached to. Ethernet frames, forwarded in
// both directions until a program says otherwise; queues are the kernel's. Since Linux 6.7:
// EOPNOTSUPP where it has no netkit.
NetlinkMessage new_netkit(const LinkPair &pair);

}  // namespace tortie
