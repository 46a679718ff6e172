// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Taking over a flow that conntrack has accepted, on a packet of either direction.
#pragma once

#include "lib/packet.h"
#include "lib/rewrite.h"
#include "portmap/ask.h"
#include "portmap/damper.h"
#include "portmap/devices.h"
#include "portmap/mapping.h"

#define TORTIE_EEXIST 17

static __always_inline __u16 cut_mtu(__u32 mtu)
{
    return mtu > 0xffff ? 0xffff : (__u16)mtu;
}

static __always_inline void tuple_from_pod(struct pm_tuple6 *to, const struct new_flow *flow)
{
    copy_address(to->src_be, flow->ends.pod_be);
    copy_address(to->dst_be, flow->ends.client_be);
    to->src_port_be = flow->ends.pod_port_be;
    to->dst_port_be = flow->ends.client_port_be;
    to->l4_proto = flow->l4_proto;
    to->dir = TORTIE_PM_REPLY;
    to->pad = 0;
}

static __always_inline void tuple_to_node(struct pm_tuple6 *to, const struct new_flow *flow)
{
    copy_address(to->src_be, flow->ends.client_be);
    copy_address(to->dst_be, flow->ends.node_be);
    to->src_port_be = flow->ends.client_port_be;
    to->dst_port_be = flow->ends.node_port_be;
    to->l4_proto = flow->l4_proto;
    to->dir = TORTIE_PM_FORWARD;
    to->pad = 0;
}

static __always_inline long store_by_mode(const struct pm_scratch *work, __u64 flags)
{
    return work->flow.mode == TORTIE_PM_FULL ? store_half(&work->other, &work->entry, flags)
                                             : store_flow(&work->other, &work->entry, flags);
}

// Puts both directions of scratch's `flow` into the flow table, or, when the packet opens it, into
// the half-open one. With BPF_NOEXIST, a flow whose tuple
// behind the translation is in use is left to netfilter, which gives it another port. Returns 0, or
// why not; then neither direction is in it.
static __noinline __u32 store_new_flow(struct pm_scratch *work, const struct pm_pod *pod,
                                       __u64 flags)
{
    const struct new_flow *flow = &work->flow;
    const __u32 slot = pod->ifindex % TORTIE_PM_EPOCHS;
    struct pm_flow6 *entry = &work->entry;
    long failed;

    entry->common.looked = now_jiffies();
    entry->common.born = entry->common.looked;
    entry->common.epoch = tt_pm_state.epochs[slot];
    entry->common.epoch_slot = (__u16)slot;
    entry->common.generation = pod->generation;
    entry->common.mode = flow->mode;
    entry->common.flags = 0;

    tuple_from_pod(&work->other, flow);
    entry->common.in_ifindex = pod->ifindex;
    entry->common.out_ifindex = flow->back.ifindex;
    entry->common.addr_diff = address_diff(flow->ends.pod_be, flow->ends.node_be);
    entry->common.port_diff = port_diff(flow->ends.pod_port_be, flow->ends.node_port_be);
    entry->common.port_be = flow->ends.node_port_be;
    entry->common.mtu = cut_mtu(flow->back_mtu);
    copy_address(entry->addr_be, flow->ends.node_be);
    copy_address(entry->nexthop_be, flow->back.nexthop_be);
    failed = store_by_mode(work, flags);
    if (failed)
        return failed == -TORTIE_EEXIST ? TORTIE_PM_COLLISION : TORTIE_PM_TABLE;

    tuple_to_node(&work->other, flow);
    entry->common.in_ifindex = flow->in_ifindex;
    entry->common.out_ifindex = pod->ifindex;
    entry->common.addr_diff = address_diff(flow->ends.node_be, flow->ends.pod_be);
    entry->common.port_diff = port_diff(flow->ends.node_port_be, flow->ends.pod_port_be);
    entry->common.port_be = flow->ends.pod_port_be;
    entry->common.mtu = cut_mtu(pod->mtu);
    copy_address(entry->addr_be, flow->ends.pod_be);
    any_address(entry->nexthop_be, is_mapped4(flow->ends.pod_be));
    if (store_by_mode(work, BPF_ANY) == 0)
        return 0;
    tuple_from_pod(&work->other, flow);
    if (flow->mode == TORTIE_PM_FULL)
        delete_half(&work->other);
    else
        delete_flow(&work->other);
    return TORTIE_PM_TABLE;
}

// Whether a packet looks like one in the middle of a connection.
static __always_inline bool is_in_the_middle(__u8 l4_proto, __u32 tcp_flags)
{
    return l4_proto != IPPROTO_TCP ||
           (tcp_flags & (TORTIE_TCP_ACK | TORTIE_TCP_SYN | TORTIE_TCP_FIN | TORTIE_TCP_RST)) ==
               TORTIE_TCP_ACK;
}

static __always_inline bool is_this_mapping(const struct pm_hostport *mapping,
                                            const struct flow_ends *ends)
{
    return same_address(mapping->pod_addr_be, ends->pod_be) &&
           mapping->pod_port_be == ends->pod_port_be;
}

// The uplink by which the flow's answers leave decides what its own may be: with strict reverse
// path filtering the kernel would drop a client's packet that came by another one. The kernel has
// no such filter for IPv6.
static __always_inline bool may_come_by(const struct pm_uplink *uplink, __u32 ifindex,
                                        const struct route *back, bool v4)
{
    return back->ifindex == ifindex || !v4 || (uplink->flags & TORTIE_PM_UPLINK_LOOSE);
}

// Asks conntrack about scratch's packet, and if it may be carried, puts its flow into the table.
// On a packet from the pod, the client's are taken to come by where the answers go. Returns 0, or
// why not.
__noinline __u32 pm_adopt(struct __sk_buff *skb)
{
    struct pm_scratch *work = scratch();
    const struct pm_tuple6 *tuple;
    struct new_flow *flow;
    const __u32 ifindex = skb->ifindex;
    struct pm_hostport *mapping;
    struct pm_uplink *out;
    struct pm_uplink *in;
    struct pm_pod *pod;
    bool from_client;
    __u32 why;

    if (!work)
        return TORTIE_PM_TABLE;
    tuple = &work->tuple;
    flow = &work->flow;
    from_client = tuple->dir == TORTIE_PM_FORWARD;
    why = pm_ask_conntrack(skb, 0);
    if (why)
        return why;
    flow->l4_proto = tuple->l4_proto;
    flow->mode = TORTIE_PM_ADOPTED;
    mapping = find_mapping(flow->ends.node_be, flow->ends.node_port_be, tuple->l4_proto);
    if (flow->ends.dir != tuple->dir || !mapping || !is_this_mapping(mapping, &flow->ends))
        return TORTIE_PM_OTHERS_FLOW;
    pod = pod_behind(mapping);
    if (!pod || !(mapping->flags & pod->flags & TORTIE_PM_MAY_ADOPT))
        return TORTIE_PM_INELIGIBLE;
    if (!from_client && pod->ifindex != ifindex)
        return TORTIE_PM_OTHERS_FLOW;
    tuple_from_pod(&work->other, flow);
    why = pm_ask_route(skb, pod->ifindex);
    if (why)
        return why;
    flow->in_ifindex = from_client ? ifindex : flow->back.ifindex;
    in = bpf_map_lookup_elem(&tt_pm_uplink, &flow->in_ifindex);
    out = bpf_map_lookup_elem(&tt_pm_uplink, &flow->back.ifindex);
    if (!in || !out)
        return TORTIE_PM_NO_ROUTE;
    if (!may_come_by(in, flow->in_ifindex, &flow->back, is_mapped4(tuple->src_be)))
        return TORTIE_PM_OTHER_UPLINK;
    why = why_not_between(in, pod);
    if (why)
        return why;
    flow->back_mtu = out->mtu;
    return store_new_flow(work, pod, BPF_ANY);
}
