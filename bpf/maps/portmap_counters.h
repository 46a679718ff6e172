// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// What is counted and told, and the only functions that write it.
#pragma once

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "maps/portmap_maps.h"
#include "shared/portmap_counters.h"

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __type(key, __u32);
    __type(value, __u64);
    __uint(max_entries, TORTIE_PM_COUNT_END);
} tt_pm_count SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, TORTIE_PM_EVENT_BYTES);
} tt_pm_events SEC(".maps");

static __always_inline void count(__u32 what)
{
    __u64 *number = bpf_map_lookup_elem(&tt_pm_count, &what);

    if (number)
        *number += 1;  // per-CPU slot: no other writer
}

// Counts why, and lets whoever is next have the packet: the next program, then netfilter.
static __always_inline int leave(__u32 why)
{
    count(why);
    return TC_ACT_UNSPEC;
}

// Counts what happened to a flow, and tells one in pm_state.sample of them.
static __always_inline void tell(struct __sk_buff *skb, const struct pm_tuple6 *tuple, __u32 what)
{
    const __u32 sample = tt_pm_state.sample;
    struct pm_event *event;

    count(what);
    if (!sample || (sample > 1 && bpf_get_prandom_u32() % sample))
        return;
    event = bpf_ringbuf_reserve(&tt_pm_events, sizeof(*event), 0);
    if (!event)
        return;  // the reader is slow; the counters are complete
    event->monotonic_ns = bpf_ktime_get_ns();
    event->tuple = *tuple;
    event->ifindex = skb->ifindex;
    event->what = (__u16)what;
    event->pad = 0;
    bpf_ringbuf_submit(event, 0);
}
