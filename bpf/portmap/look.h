// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The look at a flow, once in pm_state.interval and direction, at every FIN and RST, and when its
// pod's epoch went on: is it still what it was when it entered the table?
#pragma once

#include "portmap/full.h"

static __always_inline __u32 or_default(__u32 configured_ms, __u32 default_ms)
{
    return configured_ms ? configured_ms : default_ms;
}

// Notes FIN and RST in both directions' entries, `other` may be 0. An RST that the endpoints
// did not accept (a forged one) is taken back when packets still follow at the next look.
static __always_inline void note_closing(struct pm_flow *flow, struct pm_flow *other,
                                         __u32 tcp_flags, bool due)
{
    __u32 both = 0;

    if (tcp_flags & TORTIE_TCP_FIN)
        flow->flags |= TORTIE_PM_CLOSING_FIN;
    if (tcp_flags & TORTIE_TCP_RST)
        both = TORTIE_PM_CLOSING_RST;
    if (other && flow->flags & other->flags & TORTIE_PM_CLOSING_FIN)
        both |= TORTIE_PM_CLOSING_BOTH;
    if (!(tcp_flags & TORTIE_TCP_RST) && due)
        flow->flags &= (__u8)~TORTIE_PM_CLOSING_RST;
    flow->flags |= (__u8)both;
    if (other)
        other->flags |= (__u8)both;
}

// What conntrack's entry is given to live; 0 when it is to end by itself.
static __always_inline __u32 timeout_of(const struct pm_tuple6 *tuple, const struct pm_flow *flow,
                                        const struct pm_flow *other, __u32 tcp_flags)
{
    const __u32 closing = flow->flags | (other ? other->flags : 0);

    if (tuple->l4_proto == IPPROTO_UDP)
        return or_default(tt_pm_state.udp_stream_ms, 120000);
    if (tcp_flags & (TORTIE_TCP_FIN | TORTIE_TCP_RST) &&
        closing & (TORTIE_PM_CLOSING_BOTH | TORTIE_PM_CLOSING_RST))
        return or_default(tt_pm_state.tcp_close_ms, 10000);
    if (flow->flags & (TORTIE_PM_CLOSING_BOTH | TORTIE_PM_CLOSING_RST))
        return 0;
    if (closing & TORTIE_PM_CLOSING_FIN)
        return or_default(tt_pm_state.tcp_fin_ms, 120000);
    return or_default(tt_pm_state.tcp_established_ms, 432000000);
}

// Whether conntrack's pair is still the one that the entry was made from. `new_addr_be` is what
// the entry writes into this direction's packets.
static __always_inline bool is_same_pair(const struct pm_tuple6 *tuple, const struct pm_flow *flow,
                                         const __u32 new_addr_be[4], const struct flow_ends *ends)
{
    if (ends->dir != tuple->dir)
        return false;
    if (tuple->dir == TORTIE_PM_FORWARD)
        return same_address(ends->pod_be, new_addr_be) && ends->pod_port_be == flow->port_be;
    return same_address(ends->node_be, new_addr_be) && ends->node_port_be == flow->port_be;
}

// What takes conntrack's place for a flow that was taken from its first packet.
static __always_inline __u32 look_at_mapping(const struct pm_tuple6 *tuple,
                                             const struct pm_flow *flow)
{
    const bool from_client = tuple->dir == TORTIE_PM_FORWARD;
    struct pm_hostport *mapping;
    __u32 new_addr_be[4];

    if (!read_new_address(tuple, new_addr_be))
        return TORTIE_PM_UNKNOWN_FLOW;
    mapping = from_client ? find_mapping(tuple->dst_be, tuple->dst_port_be, tuple->l4_proto)
                          : find_mapping(new_addr_be, flow->port_be, tuple->l4_proto);
    if (!mapping || !may_be_full(mapping, pod_behind(mapping)))
        return TORTIE_PM_INELIGIBLE;
    if (!same_address(mapping->pod_addr_be, from_client ? new_addr_be : tuple->src_be) ||
        mapping->pod_port_be != (from_client ? flow->port_be : tuple->src_port_be))
        return TORTIE_PM_INELIGIBLE;
    return 0;
}

// Asks conntrack, and gives its entry time to live.
__noinline __u32 pm_look_at_conntrack(struct __sk_buff *skb, __u32 tcp_flags)
{
    struct pm_scratch *work = scratch();
    const struct pm_tuple6 *tuple;
    struct pm_flow *flow;
    struct pm_flow *other;
    __u32 new_addr_be[4];
    __u32 why;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    flow = find_flow(tuple);
    if (!flow || !read_new_address(tuple, new_addr_be))
        return TORTIE_PM_UNKNOWN_FLOW;
    other_tuple(&work->other, tuple, new_addr_be, flow->port_be);
    other = find_flow(&work->other);
    if (tuple->l4_proto == IPPROTO_TCP)
        note_closing(flow, other, tcp_flags, is_due(flow->looked, now_jiffies()));
    if (flow->mode != TORTIE_PM_ADOPTED)
        return look_at_mapping(tuple, flow);
    why = pm_ask_conntrack(skb, timeout_of(tuple, flow, other, tcp_flags));
    if (why)
        return why;
    return is_same_pair(tuple, flow, new_addr_be, &work->flow.ends) ? 0 : TORTIE_PM_OTHERS_FLOW;
}

// The pod that the flow belongs to, while it is the same pod.
static __always_inline struct pm_pod *pod_of(const struct pm_tuple6 *tuple,
                                             const struct pm_flow *flow)
{
    __u32 pod_addr_be[4];
    struct pm_pod *pod;

    if (tuple->dir == TORTIE_PM_REPLY)
        copy_address(pod_addr_be, tuple->src_be);
    else if (!read_new_address(tuple, pod_addr_be))
        return 0;
    pod = bpf_map_lookup_elem(&tt_pm_pod, pod_addr_be);
    return pod && pod->generation == flow->generation ? pod : 0;
}

// Routes change, and with them where the answers go. Without a route the flow waits for one: what
// conntrack did not see it cannot take back.
__noinline __u32 pm_refresh_route(struct __sk_buff *skb)
{
    struct pm_scratch *work = scratch();
    struct pm_uplink *uplink;
    struct pm_tuple4 narrow;
    struct route *back;

    if (!work)
        return TORTIE_PM_TABLE;
    work->other = work->tuple;
    if (pm_ask_route(skb, skb->ifindex))
        return TORTIE_PM_NO_ROUTE;
    back = &work->flow.back;
    uplink = bpf_map_lookup_elem(&tt_pm_uplink, &back->ifindex);
    if (!uplink)
        return TORTIE_PM_OTHER_UPLINK;
    if (is_mapped4(work->tuple.src_be)) {
        struct pm_flow4 *flow;

        narrow_tuple(&narrow, &work->tuple);
        flow = bpf_map_lookup_elem(&tt_pm_flow4, &narrow);
        if (!flow)
            return TORTIE_PM_TABLE;
        flow->common.out_ifindex = back->ifindex;
        flow->common.mtu = cut_mtu(uplink->mtu);
        flow->nexthop_be = back->nexthop_be[3];
        return 0;
    }
    struct pm_flow6 *flow = bpf_map_lookup_elem(&tt_pm_flow6, &work->tuple);

    if (!flow)
        return TORTIE_PM_TABLE;
    flow->common.out_ifindex = back->ifindex;
    flow->common.mtu = cut_mtu(uplink->mtu);
    copy_address(flow->nexthop_be, back->nexthop_be);
    return 0;
}

// What stands at the veth and can neither be passed by nor gone through. A datagram's flow is given
// back for everything: conntrack takes that at any time.
static __always_inline __u32 unavoidable(const struct pm_tuple6 *tuple, const struct pm_pod *pod)
{
    return tuple->l4_proto == IPPROTO_TCP ? pod->obstacles & ~TORTIE_PM_OBSTACLES_ON_THE_WAY
                                          : pod->obstacles;
}

// The devices of a packet from the client. A flow whose pod is silent is kept when it is TCP: what
// conntrack did not see it cannot take back, and the pod's next packet has its veth looked at.
static __always_inline __u32 look_at_devices_to_pod(struct __sk_buff *skb,
                                                    const struct pm_tuple6 *tuple,
                                                    struct pm_flow *flow, struct pm_pod *pod)
{
    const __u32 ifindex = skb->ifindex;
    struct pm_uplink *uplink = bpf_map_lookup_elem(&tt_pm_uplink, &ifindex);

    if (!uplink)
        return TORTIE_PM_OTHER_UPLINK;
    look_at_uplink(skb, uplink);
    if (uplink->obstacles || unavoidable(tuple, pod))
        return TORTIE_PM_OBSTACLE;
    if (pod->obstacles)
        flow->flags |= TORTIE_PM_BY_THE_VETH;
    else
        flow->flags &= (__u8)~TORTIE_PM_BY_THE_VETH;
    if (tuple->l4_proto == IPPROTO_UDP && is_stale(pod->looked, now_jiffies()))
        return TORTIE_PM_STALE;
    flow->mtu = cut_mtu(pod->mtu);
    return 0;
}

static __always_inline __u32 look_at_devices_from_pod(struct __sk_buff *skb,
                                                      const struct pm_tuple6 *tuple,
                                                      const struct pm_flow *flow,
                                                      struct pm_pod *pod)
{
    const __u32 ifindex = flow->out_ifindex;
    struct pm_uplink *uplink = bpf_map_lookup_elem(&tt_pm_uplink, &ifindex);

    look_at_veth(skb, pod);
    if (unavoidable(tuple, pod) || (uplink && uplink->obstacles))
        return TORTIE_PM_OBSTACLE;
    return pm_refresh_route(skb);
}

// Returns 0 when the packet may be carried by its entry, or why not. For every reason but
// TORTIE_PM_NO_ROUTE the flow has to be forgotten.
static __always_inline __u32 look(struct __sk_buff *skb, const __u8 dir, __u32 tcp_flags)
{
    struct pm_scratch *work = scratch();
    const struct pm_tuple6 *tuple;
    struct pm_flow *flow;
    struct pm_pod *pod;
    __u32 epoch;
    __u32 why;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    flow = find_flow(tuple);
    if (!flow)
        return TORTIE_PM_UNKNOWN_FLOW;
    epoch = tt_pm_state.epochs[flow->epoch_slot % TORTIE_PM_EPOCHS];
    pod = pod_of(tuple, flow);
    if (!pod || (flow->mode == TORTIE_PM_ADOPTED && !(pod->flags & TORTIE_PM_MAY_ADOPT)))
        return TORTIE_PM_INELIGIBLE;
    count(TORTIE_PM_LOOKED);
    why = dir == TORTIE_PM_FORWARD ? look_at_devices_to_pod(skb, tuple, flow, pod)
                                   : look_at_devices_from_pod(skb, tuple, flow, pod);
    if (why)
        return why;
    why = pm_look_at_conntrack(skb, tcp_flags);
    if (why)
        return why;
    if (tcp_flags & (TORTIE_TCP_FIN | TORTIE_TCP_RST))
        count(TORTIE_PM_CLOSED);
    flow->looked = now_jiffies();
    flow->epoch = epoch;
    return 0;
}

__noinline __u32 pm_look_to_pod(struct __sk_buff *skb, __u32 tcp_flags)
{
    return look(skb, TORTIE_PM_FORWARD, tcp_flags);
}

__noinline __u32 pm_look_from_pod(struct __sk_buff *skb, __u32 tcp_flags)
{
    return look(skb, TORTIE_PM_REPLY, tcp_flags);
}
