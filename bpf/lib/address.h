// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Addresses as the maps hold them: four words in network order, IPv4 v4-mapped.
#pragma once

#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

static __always_inline void copy_address(__u32 to_be[4], const __u32 from_be[4])
{
    to_be[0] = from_be[0];
    to_be[1] = from_be[1];
    to_be[2] = from_be[2];
    to_be[3] = from_be[3];
}

static __always_inline void map_address4(__u32 to_be[4], __u32 addr4_be)
{
    to_be[0] = 0;
    to_be[1] = 0;
    to_be[2] = bpf_htonl(0xffff);
    to_be[3] = addr4_be;
}

static __always_inline bool is_mapped4(const __u32 addr_be[4])
{
    return (addr_be[0] | addr_be[1]) == 0 && addr_be[2] == bpf_htonl(0xffff);
}

static __always_inline bool same_address(const __u32 a_be[4], const __u32 b_be[4])
{
    return ((a_be[0] ^ b_be[0]) | (a_be[1] ^ b_be[1]) | (a_be[2] ^ b_be[2]) |
            (a_be[3] ^ b_be[3])) == 0;
}

// Any address of the same family: ::ffff:0.0.0.0 or ::.
static __always_inline void any_address(__u32 to_be[4], bool v4)
{
    to_be[0] = 0;
    to_be[1] = 0;
    to_be[2] = v4 ? bpf_htonl(0xffff) : 0;
    to_be[3] = 0;
}

// fe80::/10 means something on one link only.
static __always_inline bool is_link_local6(const __u32 addr_be[4])
{
    return (addr_be[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

// 127.0.0.0/8 and ::1.
static __always_inline bool is_loopback(const __u32 addr_be[4])
{
    if (is_mapped4(addr_be))
        return (addr_be[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
    return (addr_be[0] | addr_be[1] | addr_be[2]) == 0 && addr_be[3] == bpf_htonl(1);
}

// What no packet may come from: 0.0.0.0/8 and ::, and addresses of many. The kernel drops such
// packets (martians); everything else that it drops has no plain route back.
static __always_inline bool is_no_source(const __u32 addr_be[4])
{
    if (is_mapped4(addr_be))
        return (addr_be[3] & bpf_htonl(0xff000000)) == 0 ||
               (addr_be[3] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) ||
               addr_be[3] == bpf_htonl(0xffffffff);
    return (addr_be[0] | addr_be[1] | addr_be[2] | addr_be[3]) == 0 ||
           (addr_be[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}
