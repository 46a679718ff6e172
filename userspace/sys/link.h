// SPDX-License-Identifier: Apache-2.0
//
// Network interfaces of the namespace in which the socket was opened (NETLINK_ROUTE).
//
// Every change is one request; the kernel has taken it when the call returns. Errors: the kernel's
// errno with what was being done and the interface's name; kNotFound when the interface is gone.
// Privileges: CAP_NET_ADMIN for changes.
#pragma once

#include <net/if.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "sys/netlink.h"

namespace tortie {

// What the kernel said at the time of find_link().
struct Link {
    int index = 0;
    std::string name;
    std::vector<std::uint8_t> mac;   // as long as the type of link has it; empty for some
    std::uint32_t mtu = 0;           // bytes
    std::uint32_t tx_queue_len = 0;  // packets
    std::uint32_t flags = 0;         // IFF_*: what was asked for on this interface
    std::uint32_t promiscuity = 0;   // how many users want it promiscuous, packet captures too

    bool up() const { return (flags & IFF_UP) != 0; }

    // Asked for by a flag, not by a capture or a bridge: what set_promisc() and set_allmulti() set.
    bool promisc() const { return (flags & IFF_PROMISC) != 0; }
    bool allmulti() const { return (flags & IFF_ALLMULTI) != 0; }
};

// By its name or one of its alternative names. Errors: kNotFound.
Result<Link> find_link(NetlinkSocket &socket, std::string_view name);

Result<> set_up(NetlinkSocket &socket, const Link &link, bool up);
Result<> set_promisc(NetlinkSocket &socket, const Link &link, bool on);
Result<> set_allmulti(NetlinkSocket &socket, const Link &link, bool on);
Result<> set_mtu(NetlinkSocket &socket, const Link &link, std::uint32_t mtu_bytes);
Result<> set_tx_queue_len(NetlinkSocket &socket, const Link &link, std::uint32_t packets);

// The kernel takes as many bytes as the type of link has and refuses fewer (EINVAL).
Result<> set_mac(NetlinkSocket &socket, const Link &link, std::span<const std::uint8_t> mac);

// Its addresses with their prefixes, IPv4 before IPv6, each family in the kernel's order.
Result<std::vector<Cidr>> list_addresses(NetlinkSocket &socket, const Link &link);

}  // namespace tortie
