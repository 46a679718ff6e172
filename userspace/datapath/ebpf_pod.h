// SPDX-License-Identifier: Apache-2.0
//
// Whether the programs may carry a pod's packets. They notice most of what speaks against it by
// themselves, within a second; here it is asked at every call of ours, in words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "datapath/port_mapper.h"
#include "sys/link.h"
#include "sys/netlink.h"

namespace tortie {

// The node's end of the veth that leads to the addresses; or why the pod is netfilter's alone: no
// veth into another namespace, a bridge port, a queue or somebody's program at it.
struct PodVeth {
    std::optional<Link> link;
    std::string obstacle;  // set when `link` is not
};
Result<PodVeth> find_pod_veth(NetlinkSocket &route, const std::vector<Cidr> &addresses);

// The first uplink that takes smaller packets than the pod sends; nullptr when there is none.
const Link *find_narrower(const std::vector<Link> &uplinks, const Link &veth);

}  // namespace tortie
