// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The slow path: a packet that is not the next one of a settled flow. TCP opens or closes, a look
// is due, it comes by another device, or it has no entry.
#pragma once

#include "portmap/look.h"
#include "portmap/miss.h"

// The client's packets come by another uplink than the entry says: the route changed, or the
// source is forged. Returns 0 when the entry is bound to this one now.
__noinline __u32 pm_rebind(struct __sk_buff *skb)
{
    const __u32 ifindex = skb->ifindex;
    struct pm_uplink *uplink = bpf_map_lookup_elem(&tt_pm_uplink, &ifindex);
    struct pm_scratch *work = scratch();
    const struct pm_tuple6 *tuple;
    __u32 pod_addr_be[4];
    struct pm_flow *flow;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    flow = find_flow(tuple);

    if (!uplink || !flow)
        return TORTIE_PM_OTHER_UPLINK;
    if (!read_new_address(tuple, pod_addr_be))
        return TORTIE_PM_OTHER_UPLINK;
    look_at_uplink(skb, uplink);
    if (uplink->obstacles)
        return TORTIE_PM_OBSTACLE;
    other_tuple(&work->other, tuple, pod_addr_be, flow->port_be);
    if (pm_ask_route(skb, flow->out_ifindex))
        return TORTIE_PM_NO_ROUTE;
    if (!may_come_by(uplink, ifindex, &work->flow.back, is_mapped4(tuple->src_be)))
        return TORTIE_PM_OTHER_UPLINK;
    flow->in_ifindex = ifindex;
    tell(skb, tuple, TORTIE_PM_REBOUND);
    return 0;
}

static __always_inline __u32 miss(struct __sk_buff *skb, struct pm_scratch *work, const __u8 dir,
                                  __u32 tcp_flags)
{
    return dir == TORTIE_PM_FORWARD ? miss_from_client(skb, work, tcp_flags)
                                    : miss_from_pod(skb, work, tcp_flags);
}

// Conntrack ends its flows by their time; those that it does not know end here. A connection that
// is opened anew with the same ports is translated as before: it simply goes on.
static __noinline bool is_out_of_date(const struct pm_tuple6 *tuple, const struct pm_flow *flow)
{
    const __u32 idle = now_jiffies() - flow->looked;
    __u32 limit_ms = or_default(tt_pm_state.tcp_established_ms, 432000000);

    if (tuple->l4_proto == IPPROTO_UDP)
        limit_ms = or_default(tt_pm_state.udp_stream_ms, 120000);
    else if (flow->flags & TORTIE_PM_CLOSING)
        limit_ms = or_default(tt_pm_state.tcp_fin_ms, 120000);
    return idle > limit_ms / 1000 * tt_pm_state.interval + 250;
}

// Decides about the packet in scratch. What comes from a pod comes by its veth. Returns 0 when the
// table holds a flow that may carry it now, TORTIE_PM_CARRY_HALF when that is the half-open table,
// or why the packet is netfilter's.
static __always_inline __u32 consider(struct __sk_buff *skb, const __u8 dir, __u32 tcp_flags)
{
    struct pm_scratch *work = scratch();
    const struct pm_tuple6 *tuple;
    struct pm_flow *flow;
    __u32 why = 0;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    flow = find_flow(tuple);
    if (!flow && tt_pm_state.full && find_half(tuple))
        return pm_consider_half(skb, tcp_flags);
    if (!flow)
        return miss(skb, work, dir, tcp_flags);
    if (flow->in_ifindex != skb->ifindex)
        why = dir == TORTIE_PM_FORWARD ? pm_rebind(skb) : TORTIE_PM_OTHER_UPLINK;
    if (why)
        return why;  // a forged packet must not end a flow
    if (flow->mode == TORTIE_PM_FULL && is_out_of_date(tuple, flow)) {
        pm_forget(skb, TORTIE_PM_FORGOTTEN);
        return miss(skb, work, dir, tcp_flags);
    }
    if (tcp_flags & TORTIE_TCP_SYN && flow->mode == TORTIE_PM_ADOPTED) {
        // Netfilter decides about the new connection. When it is none (a forged SYN), conntrack
        // still has the old one, and the next packet brings it back.
        pm_forget(skb, TORTIE_PM_REOPENED);
        return TORTIE_PM_NOT_ESTABLISHED;
    }
    why = dir == TORTIE_PM_FORWARD ? pm_look_to_pod(skb, tcp_flags)
                                   : pm_look_from_pod(skb, tcp_flags);
    if (why && why != TORTIE_PM_NO_ROUTE)
        pm_forget(skb, TORTIE_PM_FORGOTTEN);
    return why;
}

__noinline __u32 pm_consider_to_pod(struct __sk_buff *skb, __u32 tcp_flags)
{
    return consider(skb, TORTIE_PM_FORWARD, tcp_flags);
}

__noinline __u32 pm_consider_from_pod(struct __sk_buff *skb, __u32 tcp_flags)
{
    return consider(skb, TORTIE_PM_REPLY, tcp_flags);
}
