// SPDX-License-Identifier: Apache-2.0
//
// Questions to the kernel's routing table, in the namespace of the socket.
#pragma once

#include <string>

#include "base/ip_addr.h"
#include "base/result.h"
#include "sys/netlink.h"

namespace tortie {

// The name of the interface that packets to `to` leave by. `route` is a NETLINK_ROUTE socket.
// Errors: kNotFound when there is no route, kSystem.
Result<std::string> output_interface(NetlinkSocket &route, const IpAddr &to);

// Whether packets to `address` are for this node, as `fib daddr type local` and
// `addrtype --dst-type LOCAL` see it: own addresses, 127.0.0.0/8, and whatever else stands in the
// table `local`.
Result<bool> is_local_address(NetlinkSocket &route, const IpAddr &address);

}  // namespace tortie
