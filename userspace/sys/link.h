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
#include <optional>
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
    static constexpr std::uint32_t kIffLowerUp = 1 << 16;  // IFF_LOWER_UP of linux/if.h

    int index = 0;
    std::string name;
    std::vector<std::uint8_t> mac;   // as long as the type of link has it; empty for some
    std::uint32_t mtu = 0;           // bytes
    std::uint32_t tx_queue_len = 0;  // packets
    std::uint32_t flags = 0;         // IFF_*: what was asked for on this interface
    std::uint32_t promiscuity = 0;   // how many users want it promiscuous, packet captures too

    std::uint16_t hardware = 0;  // ARPHRD_*
    std::string kind;            // "veth", "bridge", "vxlan" ...; empty for hardware
    std::string qdisc;           // the root qdisc: "noqueue", "fq_codel", "tbf" ...
    int master_index = 0;        // of the bridge, bond or VRF that it is a port of

    // Of a pair: the other end's index in its namespace, and what this namespace calls that one.
    // Without a number it is this namespace, and -1 is one that is going.
    int peer_index = 0;
    std::optional<int> peer_netns_id;

    bool up() const { return (flags & IFF_UP) != 0; }

    // Up, and so is the other end; and then: the kernel has done all that follows from it.
    bool carrier() const { return (flags & kIffLowerUp) != 0; }
    bool running() const { return (flags & IFF_RUNNING) != 0; }

    // Asked for by a flag, not by a capture or a bridge: what set_promisc() and set_allmulti() set.
    bool promisc() const { return (flags & IFF_PROMISC) != 0; }
    bool allmulti() const { return (flags & IFF_ALLMULTI) != 0; }
};

// By its name or one of its alternative names. Errors: kNotFound.
Result<Link> find_link(NetlinkSocket &socket, std::string_view name);
Result<Link> find_link(NetlinkSocket &socket, int index);

// All of the namespace.
Result<std::vector<Link>> list_links(NetlinkSocket &socket);

// With the other end, when it is one of a pair. Errors: kNotFound.
Result<> delete_link(NetlinkSocket &socket, std::string_view name);
Result<> delete_link(NetlinkSocket &socket, int index);

Result<> set_up(NetlinkSocket &socket, const Link &link, bool up);
Result<> set_promisc(NetlinkSocket &socket, const Link &link, bool on);
Result<> set_allmulti(NetlinkSocket &socket, const Link &link, bool on);
Result<> set_mtu(NetlinkSocket &socket, const Link &link, std::uint32_t mtu_bytes);
Result<> set_tx_queue_len(NetlinkSocket &socket, const Link &link, std::uint32_t packets);

// The kernel takes as many bytes as the type of link has and refuses fewer (EINVAL).
Result<> set_mac(NetlinkSocket &socket, const Link &link, std::span<const std::uint8_t> mac);

// The same as messages, for request_all(), and what a reply of type RTM_NEWLINK says.
NetlinkMessage link_question(std::string_view name);
NetlinkMessage link_question(int index);
NetlinkMessage up_request(int index, bool up);
Link read_link(const NetlinkReply &reply);

// The interface's IPv6 link-local address comes from its MAC (EUI-64), whatever the namespace's
// default is. To be sent while it is down.
NetlinkMessage eui64_request(int index);

// Global, on its own (no broadcast address, no peer). EEXIST when the interface has it.
NetlinkMessage new_address(int index, const Cidr &address);

// What the interface has of an IPv6 address: one that is tentative cannot be used yet, and cannot
// be bound to. Errors: kNotFound for the interface.
enum class Ipv6AddressState { kMissing, kTentative, kUsable };
Result<Ipv6AddressState> look_for_ipv6_address(NetlinkSocket &socket, int index,
                                               const IpAddr &address);

// Its addresses with their prefixes, IPv4 before IPv6, each family in the kernel's order.
Result<std::vector<Cidr>> list_addresses(NetlinkSocket &socket, const Link &link);

}  // namespace tortie
