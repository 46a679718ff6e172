// SPDX-License-Identifier: Apache-2.0
//
// Questions to the kernel's routing table and changes of it, in the namespace of the socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "sys/netlink.h"

namespace tortie {

// A unicast route of the table `main`.
struct Route {
    Cidr to;
    std::optional<IpAddr> via;  // without: whoever is there is on the link itself
    int ifindex = 0;            // 0: none or several
    std::uint32_t metric = 0;   // 0 in a request is the kernel's: 0 for IPv4, 1024 for IPv6

    friend bool operator==(const Route &, const Route &) = default;
};

// A request with nothing but these attributes, protocol `boot`; its scope is `link` without a
// gateway and global with one. EEXIST when the table has a route to the same prefix with the same
// metric, unless it is to replace that one.
enum class IfRouteExists { kFail, kReplace };
NetlinkMessage new_route(const Route &route, IfRouteExists then);

// The routes of the table `main` in the kernel's order, of whatever type.
Result<std::vector<Route>> list_routes(NetlinkSocket &route, Family family);

// The number of the interface that packets to `to` leave by. Errors: kNotFound when there is no
// route, kSystem.
Result<int> output_ifindex(NetlinkSocket &route, const IpAddr &to);

// The name of the interface that packets to `to` leave by. `route` is a NETLINK_ROUTE socket.
// Errors: kNotFound when there is no route, kSystem.
Result<std::string> output_interface(NetlinkSocket &route, const IpAddr &to);

// Whether packets to `address` are for this node, as `fib daddr type local` and
// `addrtype --dst-type LOCAL` see it: own addresses, 127.0.0.0/8, and whatever else stands in the
// table `local`.
Result<bool> is_local_address(NetlinkSocket &route, const IpAddr &address);

}  // namespace tortie
