// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The flow tables and their accessors. Slow paths speak of flows in the wide form (struct
// pm_tuple6, IPv4 v4-mapped); here is the only place where that becomes one of the two tables.
#pragma once

#include <stdbool.h>

#include "lib/address.h"
#include "maps/portmap_maps.h"

static __always_inline void narrow_tuple(struct pm_tuple4 *to, const struct pm_tuple6 *from)
{
    to->src_be = from->src_be[3];
    to->dst_be = from->dst_be[3];
    to->src_port_be = from->src_port_be;
    to->dst_port_be = from->dst_port_be;
    to->l4_proto = from->l4_proto;
    to->dir = from->dir;
    to->pad = 0;
}

// The entry, or 0. What both families share comes first in it.
static __always_inline struct pm_flow *find_flow(const struct pm_tuple6 *tuple)
{
    struct pm_tuple4 narrow;

    if (!is_mapped4(tuple->src_be))
        return bpf_map_lookup_elem(&tt_pm_flow6, tuple);
    narrow_tuple(&narrow, tuple);
    return bpf_map_lookup_elem(&tt_pm_flow4, &narrow);
}

// `flags` is BPF_ANY or BPF_NOEXIST. Returns 0, or an error: -EEXIST says that there is one.
static __noinline long store_flow(const struct pm_tuple6 *tuple, const struct pm_flow6 *flow,
                                  __u64 flags)
{
    struct pm_tuple4 narrow;
    struct pm_flow4 narrow_flow;

    if (!is_mapped4(tuple->src_be))
        return bpf_map_update_elem(&tt_pm_flow6, tuple, flow, flags);
    narrow_tuple(&narrow, tuple);
    narrow_flow.common = flow->common;
    narrow_flow.addr_be = flow->addr_be[3];
    narrow_flow.nexthop_be = flow->nexthop_be[3];
    return bpf_map_update_elem(&tt_pm_flow4, &narrow, &narrow_flow, flags);
}

static __noinline long delete_flow(const struct pm_tuple6 *tuple)
{
    struct pm_tuple4 narrow;

    if (!is_mapped4(tuple->src_be))
        return bpf_map_delete_elem(&tt_pm_flow6, tuple);
    narrow_tuple(&narrow, tuple);
    return bpf_map_delete_elem(&tt_pm_flow4, &narrow);
}

// The same for a flow that nobody has answered yet.
static __always_inline struct pm_flow *find_half(const struct pm_tuple6 *tuple)
{
    struct pm_tuple4 narrow;

    if (!is_mapped4(tuple->src_be))
        return bpf_map_lookup_elem(&tt_pm_half6, tuple);
    narrow_tuple(&narrow, tuple);
    return bpf_map_lookup_elem(&tt_pm_half4, &narrow);
}

static __noinline long store_half(const struct pm_tuple6 *tuple, const struct pm_flow6 *flow,
                                  __u64 flags)
{
    struct pm_tuple4 narrow;
    struct pm_flow4 narrow_flow;

    if (!is_mapped4(tuple->src_be))
        return bpf_map_update_elem(&tt_pm_half6, tuple, flow, flags);
    narrow_tuple(&narrow, tuple);
    narrow_flow.common = flow->common;
    narrow_flow.addr_be = flow->addr_be[3];
    narrow_flow.nexthop_be = flow->nexthop_be[3];
    return bpf_map_update_elem(&tt_pm_half4, &narrow, &narrow_flow, flags);
}

// Copies an entry from the half-open table to the flow table. Returns 0, or an error.
static __noinline long promote_entry(const struct pm_tuple6 *tuple, __u64 flags)
{
    struct pm_tuple4 narrow;

    if (!is_mapped4(tuple->src_be)) {
        const struct pm_flow6 *flow = bpf_map_lookup_elem(&tt_pm_half6, tuple);

        return flow ? bpf_map_update_elem(&tt_pm_flow6, tuple, flow, flags) : -1;
    }
    narrow_tuple(&narrow, tuple);
    const struct pm_flow4 *flow = bpf_map_lookup_elem(&tt_pm_half4, &narrow);

    return flow ? bpf_map_update_elem(&tt_pm_flow4, &narrow, flow, flags) : -1;
}

static __noinline long delete_half(const struct pm_tuple6 *tuple)
{
    struct pm_tuple4 narrow;

    if (!is_mapped4(tuple->src_be))
        return bpf_map_delete_elem(&tt_pm_half6, tuple);
    narrow_tuple(&narrow, tuple);
    return bpf_map_delete_elem(&tt_pm_half4, &narrow);
}

static __noinline bool read_new_address_of_half(const struct pm_tuple6 *tuple, __u32 to_be[4])
{
    struct pm_tuple4 narrow;

    if (!is_mapped4(tuple->src_be)) {
        const struct pm_flow6 *flow = bpf_map_lookup_elem(&tt_pm_half6, tuple);

        if (flow)
            copy_address(to_be, flow->addr_be);
        return flow != 0;
    }
    narrow_tuple(&narrow, tuple);
    const struct pm_flow4 *flow = bpf_map_lookup_elem(&tt_pm_half4, &narrow);

    if (flow)
        map_address4(to_be, flow->addr_be);
    return flow != 0;
}

// The address that packets of this direction get; 0 when the flow is not in the table.
static __noinline bool read_new_address(const struct pm_tuple6 *tuple, __u32 to_be[4])
{
    struct pm_tuple4 narrow;

    if (!is_mapped4(tuple->src_be)) {
        const struct pm_flow6 *flow = bpf_map_lookup_elem(&tt_pm_flow6, tuple);

        if (flow)
            copy_address(to_be, flow->addr_be);
        return flow != 0;
    }
    narrow_tuple(&narrow, tuple);
    const struct pm_flow4 *flow = bpf_map_lookup_elem(&tt_pm_flow4, &narrow);

    if (flow)
        map_address4(to_be, flow->addr_be);
    return flow != 0;
}

// The key of the other direction: its packets come from the new address and go back to where
// these came from.
static __always_inline void other_tuple(struct pm_tuple6 *to, const struct pm_tuple6 *from,
                                        const __u32 new_addr_be[4], __u16 new_port_be)
{
    to->l4_proto = from->l4_proto;
    to->pad = 0;
    if (from->dir == TORTIE_PM_FORWARD) {
        to->dir = TORTIE_PM_REPLY;
        copy_address(to->src_be, new_addr_be);
        to->src_port_be = new_port_be;
        copy_address(to->dst_be, from->src_be);
        to->dst_port_be = from->src_port_be;
        return;
    }
    to->dir = TORTIE_PM_FORWARD;
    copy_address(to->src_be, from->dst_be);
    to->src_port_be = from->dst_port_be;
    copy_address(to->dst_be, new_addr_be);
    to->dst_port_be = new_port_be;
}

// Takes both directions out of the tables.
static __noinline int forget_flow(const struct pm_tuple6 *tuple)
{
    const struct pm_flow *flow = find_flow(tuple);
    struct pm_tuple6 other;
    __u32 new_addr_be[4];

    if (!flow || !read_new_address(tuple, new_addr_be))
        return 0;
    other_tuple(&other, tuple, new_addr_be, flow->port_be);
    delete_flow(&other);
    delete_flow(tuple);
    return 0;
}

static __always_inline bool is_port_set(const __u64 bits[2][1024], __u8 l4_proto, __u16 port_be)
{
    const __u32 port = bpf_ntohs(port_be);

    return (bits[l4_proto == IPPROTO_UDP][port >> 6] >> (port & 63)) & 1;
}
