// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Questions about the packet in scratch that several slow paths have. Functions that begin with pm_
// are global: the verifier looks at each of them once, and not again at every call and in every
// state it can be called in. That is what loading the programs costs. They get by on the context
// and numbers, because kernels before 5.12 take no other arguments.
#pragma once

#include "lib/conntrack.h"
#include "maps/portmap_counters.h"
#include "maps/portmap_flows.h"
#include "portmap/route.h"

// What conntrack says about scratch's tuple, in scratch's `flow.ends`; its entry is given
// `timeout_ms` to live, unless that is 0. Returns 0, or why the packet cannot be carried.
__noinline __u32 pm_ask_conntrack(struct __sk_buff *skb, __u32 timeout_ms)
{
    struct pm_scratch *work = scratch();

    return work ? ask_conntrack(skb, &work->tuple, timeout_ms, &work->flow.ends)
                : TORTIE_PM_NO_CONNTRACK;
}

// The way of scratch's `other`, a tuple from the pod behind that veth, in scratch's `flow.back`.
// Returns 0, or why there is none.
__noinline __u32 pm_ask_route(struct __sk_buff *skb, __u32 veth_ifindex)
{
    struct pm_scratch *work = scratch();

    if (!work || !find_route(skb, &work->other, veth_ifindex, &work->flow.back))
        return TORTIE_PM_NO_ROUTE;
    return 0;
}

// Takes both directions of scratch's flow out of the table, and says so.
__noinline int pm_forget(struct __sk_buff *skb, __u32 what)
{
    struct pm_scratch *work = scratch();

    if (!work)
        return 0;
    forget_flow(&work->tuple);
    tell(skb, &work->tuple, what);
    return 0;
}
