// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Which mapping a packet is for.
#pragma once

#include "lib/address.h"
#include "maps/portmap_maps.h"

// The mapping of a node's address and port, or 0. One for any address is found for every
// address: the caller makes sure that it is the node's, or that conntrack said so.
static __noinline struct pm_hostport *find_mapping(const __u32 addr_be[4], __u16 port_be,
                                                   __u8 l4_proto)
{
    struct pm_hostport_key key = {.port_be = port_be, .l4_proto = l4_proto};
    struct pm_hostport *mapping;

    copy_address(key.addr_be, addr_be);
    mapping = bpf_map_lookup_elem(&tt_pm_hostport, &key);
    if (mapping)
        return mapping;
    any_address(key.addr_be, is_mapped4(addr_be));
    return bpf_map_lookup_elem(&tt_pm_hostport, &key);
}

// The pod behind it, while it is the one that the mapping was made for.
static __always_inline struct pm_pod *pod_behind(const struct pm_hostport *mapping)
{
    struct pm_pod *pod = bpf_map_lookup_elem(&tt_pm_pod, mapping->pod_addr_be);

    return pod && pod->generation == mapping->generation ? pod : 0;
}
