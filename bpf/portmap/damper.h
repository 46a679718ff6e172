// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Datagrams that nobody answers (logs, metrics), and what others send straight to a pod's mapped
// port, would be looked up in conntrack packet by packet, and refused. Such a flow is asked about
// four times an interval only: the first kind after a few refusals in a row, the second, which is
// not this mapping's and will not become so, from the first on. A flow that was carried is never
// damped: its counter starts anew.
#pragma once

#include <stdbool.h>

#include "maps/portmap_maps.h"

#define TORTIE_PM_PATIENCE 8

// Jenkins' one-at-a-time mixing over the words of a tuple: slots only have to differ.
static __always_inline __u32 hash_tuple(const struct pm_tuple6 *tuple)
{
    const __u32 *word = (const __u32 *)tuple;
    __u32 hash = 0;

    for (int i = 0; i < (int)(sizeof(*tuple) / sizeof(*word)); ++i) {
        hash += word[i];
        hash += hash << 10;
        hash ^= hash >> 6;
    }
    hash += hash << 3;
    hash ^= hash >> 11;
    return hash + (hash << 15);
}

static __always_inline struct pm_damper *damper_of(__u32 hash)
{
    const __u32 slot = hash % TORTIE_PM_DAMPER_SLOTS;

    return bpf_map_lookup_elem(&tt_pm_damper, &slot);
}

// Whether this packet's flow was asked about often, and just now.
static __noinline bool is_damped(const struct pm_tuple6 *tuple, __u32 now)
{
    const __u32 hash = hash_tuple(tuple);
    struct pm_damper *damper = damper_of(hash);

    if (!damper || damper->tag != hash || damper->refused < TORTIE_PM_PATIENCE)
        return false;
    return (__u16)((__u16)now - damper->asked) < tt_pm_state.interval / 4;
}

// Conntrack was asked: refused `times` more, or 0, not.
static __noinline int note_answer(const struct pm_tuple6 *tuple, __u32 now, __u32 times)
{
    const bool refused = times != 0;
    const __u32 hash = hash_tuple(tuple);
    struct pm_damper *damper = damper_of(hash);

    if (!damper || (!refused && damper->tag != hash))
        return 0;
    if (damper->tag != hash || !refused)
        damper->refused = 0;
    damper->tag = hash;
    damper->asked = (__u16)now;
    if (damper->refused < TORTIE_PM_PATIENCE)
        damper->refused += (__u16)times;
    return 0;
}
