// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The maps of the port mapping. Who writes which, when and under which lock: see
// shared/portmap_types.h.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "portmap/scratch.h"
#include "shared/portmap_types.h"

// Host port to pod.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct pm_hostport_key);
    __type(value, struct pm_hostport);
    __uint(max_entries, TORTIE_PM_MAX_HOSTPORTS);
} tt_pm_hostport SEC(".maps");

// Mapped ports of pods.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct pm_podport_key);
    __type(value, struct pm_podport);
    __uint(max_entries, TORTIE_PM_MAX_HOSTPORTS);
} tt_pm_podport SEC(".maps");

// Pods with mapped ports, by address.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct pm_pod_key);
    __type(value, struct pm_pod);
    __uint(max_entries, TORTIE_PM_MAX_PODS);
} tt_pm_pod SEC(".maps");

// Uplinks, by ifindex.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct pm_uplink);
    __uint(max_entries, TORTIE_PM_MAX_UPLINKS);
} tt_pm_uplink SEC(".maps");

// Flows. Two tables, because IPv4's short key is what the speed of nearly every packet hangs on:
// hashing and comparing 40 bytes for 16 costs some 70 instructions of about 950.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __type(key, struct pm_tuple4);
    __type(value, struct pm_flow4);
    __uint(max_entries, TORTIE_PM_MAX_FLOWS4);
} tt_pm_flow4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __type(key, struct pm_tuple6);
    __type(value, struct pm_flow6);
    __uint(max_entries, TORTIE_PM_MAX_FLOWS6);
} tt_pm_flow6 SEC(".maps");

// Flows of the full mode that nobody has answered yet: a flood of SYNs fills these and leaves the
// others alone.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __type(key, struct pm_tuple4);
    __type(value, struct pm_flow4);
    __uint(max_entries, TORTIE_PM_MAX_HALF_OPEN4);
} tt_pm_half4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __type(key, struct pm_tuple6);
    __type(value, struct pm_flow6);
    __uint(max_entries, TORTIE_PM_MAX_HALF_OPEN6);
} tt_pm_half6 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, struct pm_damper);
    __uint(max_entries, TORTIE_PM_DAMPER_SLOTS);
} tt_pm_damper SEC(".maps");

// What processes of the node asked for, for getpeername() and recvmsg().
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __type(key, struct pm_local_key);
    __type(value, struct pm_local);
    __uint(max_entries, TORTIE_PM_MAX_LOCAL);
} tt_pm_local SEC(".maps");

// The packet that a slow path is about, and what it works out. One a CPU: nothing else runs there
// until the program is done. It keeps the slow paths within the stack, and lets them be global
// functions, which the verifier looks at once and not once a caller.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __type(key, __u32);
    __type(value, struct pm_scratch);
    __uint(max_entries, 1);
} tt_pm_scratch SEC(".maps");

static __always_inline struct pm_scratch *scratch(void)
{
    const __u32 only = 0;

    return bpf_map_lookup_elem(&tt_pm_scratch, &only);
}

// The whole of .bss: shown by bpftool as tt_portm.bss, with the names of its fields.
struct pm_state tt_pm_state;
