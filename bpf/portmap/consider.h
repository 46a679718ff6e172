// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The slow path: a packet that is not the next one of a settled flow. TCP opens or closes, a look
// is due, it comes by another device, or it has no entry.
#pragma once

#include "portmap/look.h"
#include "portmap/miss.h"

// The client's packets come by another uplink than the entry says: the route changed, or the
// source is forged. Returns 0 when the entry is bound to this one now.
static __noinline __u32 rebind(struct __sk_buff *skb, struct pm_scratch *work)
{
    const struct pm_tuple6 *tuple = &work->tuple;
    const __u32 ifindex = skb->ifindex;
    struct pm_uplink *uplink = bpf_map_lookup_elem(&tt_pm_uplink, &ifindex);
    struct pm_flow *flow = find_flow(tuple);
    __u32 pod_addr_be[4];

    // What comes from a pod comes by its veth.
    if (!uplink || !flow || tuple->dir != TORTIE_PM_FORWARD)
        return TORTIE_PM_OTHER_UPLINK;
    if (!read_new_address(tuple, pod_addr_be))
        return TORTIE_PM_OTHER_UPLINK;
    look_at_uplink(skb, uplink);
    if (uplink->obstacles)
        return TORTIE_PM_OBSTACLE;
    other_tuple(&work->other, tuple, pod_addr_be, flow->port_be);
    if (!find_route(skb, &work->other, flow->out_ifindex, &work->flow.back))
        return TORTIE_PM_NO_ROUTE;
    if (!may_come_by(uplink, ifindex, &work->flow.back, is_mapped4(tuple->src_be)))
        return TORTIE_PM_OTHER_UPLINK;
    flow->in_ifindex = ifindex;
    tell(skb, tuple, TORTIE_PM_REBOUND);
    return 0;
}

// Decides about the packet in scratch. Returns 0 when the table holds a flow that may carry it now,
// or why the packet is netfilter's. Global, so that it is verified once.
__noinline __u32 pm_consider(struct __sk_buff *skb, __u32 tcp_flags)
{
    struct pm_scratch *work = scratch();
    const struct pm_tuple6 *tuple;
    struct pm_flow *flow;
    __u32 why = 0;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    flow = find_flow(tuple);
    if (!flow && tuple->dir == TORTIE_PM_FORWARD)
        return miss_from_client(skb, work, tcp_flags);
    if (!flow)
        return miss_from_pod(skb, work, tcp_flags);
    if (flow->in_ifindex != skb->ifindex)
        why = rebind(skb, work);
    if (why)
        return why;  // a forged packet must not end a flow
    if (tcp_flags & TORTIE_TCP_SYN) {
        // Netfilter decides about the new connection. When it is none (a forged SYN), conntrack
        // still has the old one, and the next packet brings it back.
        forget_flow(tuple);
        tell(skb, tuple, TORTIE_PM_REOPENED);
        return TORTIE_PM_NOT_ESTABLISHED;
    }
    why = look(skb, work, tcp_flags);
    if (why) {
        forget_flow(tuple);
        tell(skb, tuple, TORTIE_PM_FORGOTTEN);
    }
    return why;
}
