// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The kernel's routing table, asked the way netfilter's packets would ask it.
#pragma once

#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "lib/address.h"
#include "maps/portmap_maps.h"

#define TORTIE_AF_INET 2
#define TORTIE_AF_INET6 10

static __always_inline void fill_question(struct bpf_fib_lookup *ask, const __u32 src_be[4],
                                          const __u32 dst_be[4])
{
    if (is_mapped4(dst_be)) {
        ask->family = TORTIE_AF_INET;
        ask->ipv4_src = src_be[3];
        ask->ipv4_dst = dst_be[3];
        return;
    }
    ask->family = TORTIE_AF_INET6;
    copy_address(ask->ipv6_src, src_be);
    copy_address(ask->ipv6_dst, dst_be);
}

// Whether the node itself is where an address leads to, whatever device it stands on: what the rule
// `fib daddr type local` asks.
static __always_inline bool is_local(struct __sk_buff *skb, const struct pm_tuple6 *tuple)
{
    struct bpf_fib_lookup ask = {};

    fill_question(&ask, tuple->src_be, tuple->dst_be);
    ask.ifindex = skb->ifindex;
    return bpf_fib_lookup(skb, &ask, sizeof(ask), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

// The way from a pod back to its client. What the pod sends is routed before its source is
// translated, as if it came by the veth. False when there is no plain route: none, a blackhole, an
// IPv4 route by way of an IPv6 router, a client that is known on one link only.
static __always_inline bool find_route(struct __sk_buff *skb, const struct pm_tuple6 *reply,
                                       __u32 veth_ifindex, struct route *to)
{
    const bool v4 = is_mapped4(reply->dst_be);
    struct bpf_fib_lookup ask = {};
    long answer;

    if (!v4 && is_link_local6(reply->dst_be))
        return false;
    fill_question(&ask, reply->src_be, reply->dst_be);
    ask.ifindex = veth_ifindex;
    answer = bpf_fib_lookup(skb, &ask, sizeof(ask), 0);
    // redirect_neigh() has the kernel find a neighbour that is not known yet.
    if (answer != BPF_FIB_LKUP_RET_SUCCESS && answer != BPF_FIB_LKUP_RET_NO_NEIGH)
        return false;
    if (ask.family != (v4 ? TORTIE_AF_INET : TORTIE_AF_INET6))
        return false;
    if (v4)
        map_address4(to->nexthop_be, ask.ipv4_dst);
    else
        copy_address(to->nexthop_be, ask.ipv6_dst);
    to->ifindex = ask.ifindex;
    return true;
}
