// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Taking a flow from its first packet: only while pm_state.full, for nobody else sees it then.
//
// A flow begins in the half-open table and enters the flow table when the client has shown that it
// is there (TCP: its ACK), or the pod has answered (UDP).
#pragma once

#include "portmap/adopt.h"

static __always_inline bool opens_connection(__u8 l4_proto, __u32 tcp_flags)
{
    return l4_proto == IPPROTO_TCP &&
           (tcp_flags & (TORTIE_TCP_SYN | TORTIE_TCP_ACK | TORTIE_TCP_FIN | TORTIE_TCP_RST)) ==
               TORTIE_TCP_SYN;
}

static __always_inline bool may_be_full(const struct pm_hostport *mapping, const struct pm_pod *pod)
{
    return tt_pm_state.full && pod && (mapping->flags & pod->flags & TORTIE_PM_MAY_FULL);
}

static __always_inline void ends_of(struct flow_ends *ends, const struct pm_tuple6 *tuple,
                                    const struct pm_hostport *mapping)
{
    copy_address(ends->client_be, tuple->src_be);
    copy_address(ends->node_be, tuple->dst_be);
    copy_address(ends->pod_be, mapping->pod_addr_be);
    ends->client_port_be = tuple->src_port_be;
    ends->node_port_be = tuple->dst_port_be;
    ends->pod_port_be = mapping->pod_port_be;
    ends->dir = TORTIE_PM_FORWARD;
    ends->pad = 0;
}

// Opens a flow for scratch's packet. Returns 0 when it is in the half-open table now, or why the
// packet is netfilter's.
__noinline __u32 pm_open(struct __sk_buff *skb)
{
    struct pm_scratch *work = scratch();
    const __u32 ifindex = skb->ifindex;
    const struct pm_tuple6 *tuple;
    struct new_flow *flow;
    struct pm_hostport *mapping;
    struct pm_uplink *out;
    struct pm_uplink *in;
    struct pm_pod *pod;
    __u32 why;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    flow = &work->flow;
    mapping = find_mapping(tuple->dst_be, tuple->dst_port_be, tuple->l4_proto);
    if (!mapping)
        return TORTIE_PM_NO_MAPPING;
    pod = pod_behind(mapping);
    if (!pod)
        return TORTIE_PM_INELIGIBLE;
    // A neighbour's frame to the node's loopback addresses is nobody's: the stack drops it.
    if (is_loopback(tuple->dst_be) || is_no_source(tuple->src_be) || !is_local(skb, tuple))
        return TORTIE_PM_NO_MAPPING;
    ends_of(&flow->ends, tuple, mapping);
    flow->l4_proto = tuple->l4_proto;
    flow->mode = TORTIE_PM_FULL;
    flow->in_ifindex = ifindex;
    tuple_from_pod(&work->other, flow);
    if (find_flow(&work->other))
        return TORTIE_PM_COLLISION;
    why = pm_ask_route(skb, pod->ifindex);
    if (why)
        return why;
    in = bpf_map_lookup_elem(&tt_pm_uplink, &ifindex);
    out = bpf_map_lookup_elem(&tt_pm_uplink, &flow->back.ifindex);
    if (!in || !out)
        return TORTIE_PM_NO_ROUTE;
    if (!may_come_by(in, ifindex, &flow->back, is_mapped4(tuple->src_be)))
        return TORTIE_PM_OTHER_UPLINK;
    if (in->obstacles || pod->obstacles)
        return TORTIE_PM_OBSTACLE;
    flow->back_mtu = out->mtu;
    why = store_new_flow(work, pod, BPF_NOEXIST);
    if (!why)
        tell(skb, tuple, TORTIE_PM_OPENED);
    return why;
}

static __always_inline void forget_half(struct pm_scratch *work, const struct pm_flow *flow)
{
    __u32 new_addr_be[4];

    if (!read_new_address_of_half(&work->tuple, new_addr_be))
        return;
    other_tuple(&work->other, &work->tuple, new_addr_be, flow->port_be);
    delete_half(&work->other);
    delete_half(&work->tuple);
}

// Moves both directions of scratch's flow to the flow table. Nothing there is pushed aside: when
// the tuple from the pod is in use, the flow was somebody else's before it was answered.
static __always_inline __u32 promote(struct __sk_buff *skb, struct pm_scratch *work,
                                     const struct pm_flow *flow)
{
    __u32 new_addr_be[4];

    if (!read_new_address_of_half(&work->tuple, new_addr_be))
        return TORTIE_PM_TABLE;
    other_tuple(&work->other, &work->tuple, new_addr_be, flow->port_be);
    if (promote_entry(&work->other, BPF_NOEXIST) || promote_entry(&work->tuple, BPF_NOEXIST))
        return TORTIE_PM_COLLISION;
    delete_half(&work->other);
    delete_half(&work->tuple);
    tell(skb, &work->tuple, TORTIE_PM_ESTABLISHED);
    return 0;
}

// What pm_consider_...() says beside 0 and a reason.
#define TORTIE_PM_CARRY_HALF 0x10000  // by the entry of the half-open table

// A packet whose flow is half open.
__noinline __u32 pm_consider_half(struct __sk_buff *skb, __u32 tcp_flags)
{
    struct pm_scratch *work = scratch();
    const struct pm_tuple6 *tuple;
    __u32 pod_addr_be[4];
    struct pm_flow *flow;
    struct pm_pod *pod;
    bool from_client;
    bool tcp;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    from_client = tuple->dir == TORTIE_PM_FORWARD;
    tcp = tuple->l4_proto == IPPROTO_TCP;
    flow = find_half(tuple);
    if (!flow)
        return TORTIE_PM_TABLE;
    if (flow->in_ifindex != skb->ifindex)
        return TORTIE_PM_OTHER_UPLINK;
    copy_address(pod_addr_be, tuple->src_be);
    if (from_client && !read_new_address_of_half(tuple, pod_addr_be))
        return TORTIE_PM_TABLE;
    pod = bpf_map_lookup_elem(&tt_pm_pod, pod_addr_be);
    if (!pod || pod->generation != flow->generation || !tt_pm_state.full) {
        forget_half(work, flow);
        return TORTIE_PM_INELIGIBLE;
    }
    if (!from_client)
        look_at_veth(skb, pod);
    if (pod->obstacles) {
        forget_half(work, flow);
        return TORTIE_PM_OBSTACLE;
    }
    if (tcp ? !from_client || (tcp_flags & (TORTIE_TCP_SYN | TORTIE_TCP_RST)) : from_client)
        return TORTIE_PM_CARRY_HALF;
    return promote(skb, work, flow);
}
