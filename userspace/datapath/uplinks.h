// SPDX-License-Identifier: Apache-2.0
//
// The devices that clients may come by. One that is missed is merely slow: netfilter carries what
// comes by it.
#pragma once

#include <set>
#include <vector>

#include "base/result.h"
#include "sys/link.h"
#include "sys/netlink.h"

namespace tortie {

// Ethernet devices that are up and have a default route, a route through a gateway, or the route
// of their own network; not: those in `pod_devices`, tunnels (no Ethernet header, or one of their
// own), ports of a bridge or bond, and bridges and veths that lead no further than to their own
// network, as those of pods do.
Result<std::vector<Link>> find_uplinks(NetlinkSocket &route, const std::set<int> &pod_devices);

}  // namespace tortie
