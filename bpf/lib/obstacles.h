// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Looking at the device a packet came by, in the kernel's own structures: does anything stand
// there that must see packets which BPF would carry past it?
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "lib/kernel_types.h"
#include "shared/portmap_types.h"

static __always_inline struct net_device *device_of(struct __sk_buff *skb)
{
    return BPF_CORE_READ((struct sk_buff *)(void *)skb, dev);
}

// Filters of a clsact or ingress qdisc; more than one only counts as two.
static __always_inline __u32 filters_of(struct mini_Qdisc *qdisc)
{
    struct tcf_proto *first = BPF_CORE_READ(qdisc, filter_list);

    if (!first)
        return 0;
    return BPF_CORE_READ(first, next) ? 2 : 1;
}

// Programs and filters at one hook, `entry` being the device's tcx_ingress or tcx_egress.
static __always_inline __u32 programs_since_6_6(struct bpf_mprog_entry *entry)
{
    struct bpf_mprog_bundle *bundle = BPF_CORE_READ(entry, parent);
    struct tcx_entry *tcx = (void *)bundle - bpf_core_field_offset(((struct tcx_entry *)0)->bundle);
    struct mini_Qdisc *qdisc = BPF_CORE_READ(tcx, miniq);

    return BPF_CORE_READ(bundle, count) + (qdisc ? filters_of(qdisc) : 0);
}

static __always_inline __u32 programs_at(struct net_device *dev, const bool ingress)
{
    if (bpf_core_field_exists(dev->tcx_ingress)) {
        struct bpf_mprog_entry *entry =
            ingress ? BPF_CORE_READ(dev, tcx_ingress) : BPF_CORE_READ(dev, tcx_egress);

        return entry ? programs_since_6_6(entry) : 0;
    }
    if (bpf_core_field_exists(dev->miniq_ingress)) {
        struct mini_Qdisc *qdisc =
            ingress ? BPF_CORE_READ(dev, miniq_ingress) : BPF_CORE_READ(dev, miniq_egress);

        return qdisc ? filters_of(qdisc) : 0;
    }
    return 0;
}

// What lies in the way of packets from the device: they are carried past what comes after
// tt_pm_ingress or tt_pm_reply there.
static __always_inline __u32 obstacles_from(struct net_device *dev, __u32 own_ingress)
{
    __u32 found = 0;

    if (programs_at(dev, true) > own_ingress)
        found |= TORTIE_PM_OBSTACLE_INGRESS;
    if (bpf_core_field_exists(dev->nf_hooks_ingress) && BPF_CORE_READ(dev, nf_hooks_ingress))
        found |= TORTIE_PM_OBSTACLE_NF_INGRESS;
    return found;
}

// And of packets that would go out by it: bpf_redirect_peer() passes all of that by.
static __always_inline __u32 obstacles_to(struct net_device *dev)
{
    struct Qdisc *qdisc = BPF_CORE_READ(dev, qdisc);
    __u32 found = 0;

    if (!qdisc || BPF_CORE_READ(qdisc, enqueue))
        found |= TORTIE_PM_OBSTACLE_QUEUE;
    if (programs_at(dev, false))
        found |= TORTIE_PM_OBSTACLE_EGRESS;
    if (bpf_core_field_exists(dev->nf_hooks_egress) && BPF_CORE_READ(dev, nf_hooks_egress))
        found |= TORTIE_PM_OBSTACLE_NF_EGRESS;
    if (BPF_CORE_READ(dev, rx_handler))
        found |= TORTIE_PM_OBSTACLE_HANDLER;
    return found;
}
