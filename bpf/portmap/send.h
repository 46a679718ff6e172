// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Where a packet goes when it is rewritten.
#pragma once

#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "maps/portmap_maps.h"
#include "portmap/route.h"

// Into the pod as if its own device had received it (or through what queues before it), or to the
// next hop towards the client.
static __always_inline int send_on(const struct pm_flow *flow, const bool v6, const __u8 dir)
{
    const __u32 ifindex = flow->out_ifindex;
    struct bpf_redir_neigh next = {};

    if (dir == TORTIE_PM_FORWARD) {
        if (flow->flags & TORTIE_PM_BY_THE_VETH)
            return (int)bpf_redirect_neigh(ifindex, 0, 0, 0);
        return (int)bpf_redirect_peer(ifindex, 0);
    }
    if (v6) {
        next.nh_family = TORTIE_AF_INET6;
        copy_address(next.ipv6_nh, ((const struct pm_flow6 *)flow)->nexthop_be);
    } else {
        next.nh_family = TORTIE_AF_INET;
        next.ipv4_nh = ((const struct pm_flow4 *)flow)->nexthop_be;
    }
    return (int)bpf_redirect_neigh(ifindex, &next, sizeof(next), 0);
}
