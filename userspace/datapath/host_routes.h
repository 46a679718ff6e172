// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "base/ip_addr.h"
#include "base/result.h"
#include "sys/link.h"
#include "sys/netlink.h"

namespace tortie {

// Routes of the node to a pod's addresses. Afterwards each address is reached through `link`, which
// is up; routes that Felix has made already are left alone.
//
// A route of another interface is replaced when that one's name begins with `prefix` or "cali" and
// its other end is down or gone: what a pod that died without DEL leaves until the kernel has
// cleaned up behind it. Anything else is somebody's.
// Errors: kExists with who has the route; kSystem. Routes that were made before stay.
Result<> add_host_routes(NetlinkSocket &node, const Link &link, std::span<const IpAddr> addresses,
                         std::string_view prefix);

}  // namespace tortie
