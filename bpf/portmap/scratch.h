// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// What slow paths work with. Not part of the contract with userspace.
#pragma once

#include "shared/portmap_types.h"

// A flow as conntrack has it, or as the full mode makes it. Addresses v4-mapped.
struct flow_ends {
    __u32 client_be[4];
    __u32 node_be[4];  // what the client asked for
    __u32 pod_be[4];
    __u16 client_port_be;
    __u16 node_port_be;
    __u16 pod_port_be;
    __u8 dir;  // of the packet that was asked about: TORTIE_PM_FORWARD is conntrack's original
    __u8 pad;
};

// The way from a pod back to its client.
struct route {
    __u32 nexthop_be[4];
    __u32 ifindex;
};

// Both directions of a flow on their way into the table.
struct new_flow {
    struct flow_ends ends;
    struct route back;
    __u32 in_ifindex;  // the uplink that the client's packets come by
    __u32 back_mtu;
    __u8 l4_proto;
    __u8 mode;  // TORTIE_PM_ADOPTED or TORTIE_PM_FULL
    __u8 pad[2];
};

struct pm_scratch {
    struct pm_tuple6 tuple;  // of the packet
    struct pm_tuple6 other;  // of the other direction
    struct new_flow flow;
    struct pm_flow6 entry;
};
