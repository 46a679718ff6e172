// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "datapath/pod_link.h"
#include "sys/netlink.h"

namespace tortie {

// The node's end of a pod's link, which is there and down, from its sysctls to the routes to the
// pod. `index` is its number on the node. The pod's end is complete: traffic may flow at once.
// Errors: the texts of Calico; what has been done goes with the interface.
Result<> complete_host_end(NetlinkSocket &node, int index, const PodLinkRequest &request);

}  // namespace tortie
