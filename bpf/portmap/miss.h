// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// A packet of a mapped port that has no flow in the table.
#pragma once

#include "portmap/full.h"

// pm_adopt(), but not for every packet of a flow that is refused all the time. A TCP connection
// that only is not established yet is asked about at each packet: the next one may be its first
// data.
static __always_inline __u32 adopt_unless_damped(struct __sk_buff *skb,
                                                 const struct pm_scratch *work)
{
    const struct pm_tuple6 *tuple = &work->tuple;
    const __u32 now = now_jiffies();
    __u32 why;

    if (is_damped(tuple, now))
        return TORTIE_PM_DAMPED;
    why = pm_adopt(skb);
    if (why == TORTIE_PM_OTHERS_FLOW)
        note_answer(tuple, now, TORTIE_PM_PATIENCE);
    else if (tuple->l4_proto == IPPROTO_UDP)
        note_answer(tuple, now, why != 0);
    return why;
}

static __always_inline __u32 open_here(struct __sk_buff *skb)
{
    const __u32 why = pm_open(skb);

    return why ? why : TORTIE_PM_CARRY_HALF;
}

// On an uplink. Returns 0 when the flow is in the table now, TORTIE_PM_CARRY_HALF when it is in the
// half-open one, or why the packet is netfilter's.
static __always_inline __u32 miss_from_client(struct __sk_buff *skb, struct pm_scratch *work,
                                              __u32 tcp_flags)
{
    const struct pm_tuple6 *tuple = &work->tuple;
    const __u32 ifindex = skb->ifindex;
    struct pm_uplink *uplink = bpf_map_lookup_elem(&tt_pm_uplink, &ifindex);
    struct pm_hostport *mapping;
    bool full;
    __u32 why;

    if (!uplink)
        return TORTIE_PM_OTHER_UPLINK;
    look_at_uplink(skb, uplink);
    if (tt_pm_state.no_adopt)
        return TORTIE_PM_NO_ADOPT;
    mapping = find_mapping(tuple->dst_be, tuple->dst_port_be, tuple->l4_proto);
    if (!mapping)
        return TORTIE_PM_NO_MAPPING;
    full = may_be_full(mapping, pod_behind(mapping));
    if (full && opens_connection(tuple->l4_proto, tcp_flags))
        return open_here(skb);
    if (!(mapping->flags & (TORTIE_PM_MAY_ADOPT | TORTIE_PM_MAY_FULL)))
        return TORTIE_PM_INELIGIBLE;
    if (!is_in_the_middle(tuple->l4_proto, tcp_flags))
        return TORTIE_PM_NOT_ESTABLISHED;
    why = full ? pm_adopt(skb) : adopt_unless_damped(skb, work);
    if (!why)
        tell(skb, tuple, TORTIE_PM_ADOPTED_FORWARD);
    // A datagram that conntrack knows nothing of opens a flow. One that it knows may be the answer
    // to something that the node, or a pod behind its address, sent from this very port.
    if (why == TORTIE_PM_UNKNOWN_FLOW && full && tuple->l4_proto == IPPROTO_UDP)
        return open_here(skb);
    return why;
}

// On the veth of a pod. Needed beside the other: a download has few packets from the client, and an
// entry that the table gave up must be found again by whichever packet comes first.
static __always_inline __u32 miss_from_pod(struct __sk_buff *skb, struct pm_scratch *work,
                                           __u32 tcp_flags)
{
    const struct pm_tuple6 *tuple = &work->tuple;
    struct pm_podport_key key = {.port_be = tuple->src_port_be, .l4_proto = tuple->l4_proto};
    struct pm_podport *port;
    struct pm_pod *pod;
    __u32 why;

    copy_address(key.addr_be, tuple->src_be);
    port = bpf_map_lookup_elem(&tt_pm_podport, &key);
    pod = bpf_map_lookup_elem(&tt_pm_pod, tuple->src_be);
    if (!port || !pod || pod->ifindex != skb->ifindex)
        return TORTIE_PM_NO_MAPPING;
    look_at_veth(skb, pod);
    if (tt_pm_state.no_adopt)
        return TORTIE_PM_NO_ADOPT;
    if (!(port->flags & pod->flags & TORTIE_PM_MAY_ADOPT))
        return TORTIE_PM_INELIGIBLE;
    if (!is_in_the_middle(tuple->l4_proto, tcp_flags))
        return TORTIE_PM_NOT_ESTABLISHED;
    why = adopt_unless_damped(skb, work);
    if (!why)
        tell(skb, tuple, TORTIE_PM_ADOPTED_REPLY);
    return why;
}
