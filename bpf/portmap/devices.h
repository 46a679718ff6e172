// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// What the programs know about devices. Each program looks at the device its packets come by, at
// most once in pm_state.interval, and writes what it found where the other one can read it.
#pragma once

#include "lib/obstacles.h"
#include "maps/portmap_maps.h"

static __always_inline __u32 now_jiffies(void)
{
    return (__u32)bpf_jiffies64();
}

static __always_inline bool is_due(__u32 looked, __u32 now)
{
    return now - looked >= tt_pm_state.interval;
}

// Whether what a look found is too old to open a flow on: four intervals, and at least a quarter
// of a second on any kernel.
static __always_inline bool is_stale(__u32 looked, __u32 now)
{
    return !looked || now - looked > tt_pm_state.interval * 4 + 250;
}

// Looks at the uplink this packet came by, if that is due.
static __noinline int look_at_uplink(struct __sk_buff *skb, struct pm_uplink *uplink)
{
    const __u32 now = now_jiffies();
    struct net_device *dev;

    if (!uplink || (uplink->looked && !is_due(uplink->looked, now)))
        return 0;
    dev = device_of(skb);
    uplink->obstacles = obstacles_from(dev, uplink->own_ingress);
    uplink->mtu = BPF_CORE_READ(dev, mtu);
    uplink->looked = now ? now : 1;
    return 0;
}

// Looks at the pod's veth, whose packet this is, if that is due. What was not there before is a
// matter of the next packet of each of the pod's flows, from the other side as well.
static __noinline int look_at_veth(struct __sk_buff *skb, struct pm_pod *pod)
{
    const __u32 now = now_jiffies();
    struct net_device *dev;
    __u32 found;

    if (!pod || (pod->looked && !is_due(pod->looked, now)))
        return 0;
    dev = device_of(skb);
    found = obstacles_from(dev, pod->own_ingress) | obstacles_to(dev);
    if (found != pod->obstacles)
        __sync_fetch_and_add(&tt_pm_state.epochs[pod->ifindex % TORTIE_PM_EPOCHS], 1);
    pod->obstacles = found;
    pod->mtu = BPF_CORE_READ(dev, mtu);
    pod->looked = now ? now : 1;
    return 0;
}

// Whether new flows may go between the two: 0, or why not. A device nobody looked at lately is a
// matter of the next packet that comes by it.
static __always_inline __u32 why_not_between(const struct pm_uplink *uplink,
                                             const struct pm_pod *pod)
{
    const __u32 now = now_jiffies();

    if (uplink->obstacles || pod->obstacles)
        return TORTIE_PM_OBSTACLE;
    return is_stale(uplink->looked, now) || is_stale(pod->looked, now) ? TORTIE_PM_STALE : 0;
}
