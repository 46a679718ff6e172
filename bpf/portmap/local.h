// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Processes of the node that ask for a mapped port of 127.0.0.0/8 or ::1: they are connected to the
// pod itself, with no translation of packets and no route_localnet. What they asked for is what
// getpeername() and recvmsg() go on telling them.
#pragma once

#include "lib/address.h"
#include "maps/portmap_counters.h"
#include "maps/portmap_flows.h"
#include "portmap/mapping.h"

// A pod's 127.0.0.1 is its own.
static __always_inline bool is_of_the_node(struct bpf_sock_addr *asked)
{
    const __u64 node = tt_pm_state.node_netns ? tt_pm_state.node_netns : bpf_get_netns_cookie(0);

    return bpf_get_netns_cookie(asked) == node;
}

static __always_inline void fill_local_key(struct pm_local_key *key, struct bpf_sock_addr *asked,
                                           const __u32 addr_be[4], __u16 port_be)
{
    __builtin_memset(key, 0, sizeof(*key));
    key->socket_cookie = bpf_get_socket_cookie(asked);
    copy_address(key->addr_be, addr_be);
    key->port_be = port_be;
    key->l4_proto = (__u8)asked->protocol;
}

// The pod behind what a process asks for: `addr_be` and `port_be` are changed to it. False when
// that is not ours to change, which is so for a socket bound to loopback, too: the pod could not
// answer it.
static __always_inline bool to_pod_of(struct bpf_sock_addr *asked, __u32 addr_be[4], __u16 *port_be,
                                      bool bound_to_loopback)
{
    const __u8 l4_proto = (__u8)asked->protocol;
    struct pm_hostport *mapping;
    struct pm_local_key key;
    struct pm_local told = {};
    struct pm_pod *pod;

    if (l4_proto != IPPROTO_TCP && l4_proto != IPPROTO_UDP)
        return false;
    if (!is_loopback(addr_be) || !is_port_set(tt_pm_state.hostport_bits, l4_proto, *port_be))
        return false;
    if (tt_pm_state.off || bound_to_loopback || !is_of_the_node(asked))
        return false;
    mapping = find_mapping(addr_be, *port_be, l4_proto);
    if (!mapping || !(mapping->flags & TORTIE_PM_MAY_LOCAL))
        return false;
    pod = pod_behind(mapping);
    if (!pod || !(pod->flags & TORTIE_PM_MAY_LOCAL))
        return false;
    copy_address(told.addr_be, addr_be);
    told.port_be = *port_be;
    fill_local_key(&key, asked, mapping->pod_addr_be, mapping->pod_port_be);
    if (bpf_map_update_elem(&tt_pm_local, &key, &told, BPF_ANY))
        return false;
    copy_address(addr_be, mapping->pod_addr_be);
    *port_be = mapping->pod_port_be;
    count(TORTIE_PM_LOCAL);
    return true;
}

// What the process asked for when it was given this address instead.
static __always_inline bool asked_for(struct bpf_sock_addr *asked, __u32 addr_be[4], __u16 *port_be)
{
    struct pm_local_key key;
    struct pm_local *told;

    fill_local_key(&key, asked, addr_be, *port_be);
    told = bpf_map_lookup_elem(&tt_pm_local, &key);
    if (!told)
        return false;
    copy_address(addr_be, told->addr_be);
    *port_be = told->port_be;
    return true;
}

// The four hooks of a family differ in which of the two they call. All of them let the call go on.
static __always_inline int translate4(struct bpf_sock_addr *asked, const bool back)
{
    const struct bpf_sock *sk = asked->sk;
    __u16 port_be = (__u16)asked->user_port;
    __u32 addr_be[4];
    __u32 own_be[4];

    map_address4(addr_be, asked->user_ip4);
    map_address4(own_be, sk && !back ? sk->src_ip4 : 0);
    if (back ? asked_for(asked, addr_be, &port_be)
             : to_pod_of(asked, addr_be, &port_be, is_loopback(own_be))) {
        asked->user_ip4 = addr_be[3];
        asked->user_port = port_be;
    }
    return 1;
}

static __always_inline int translate6(struct bpf_sock_addr *asked, const bool back)
{
    const struct bpf_sock *sk = asked->sk;
    __u16 port_be = (__u16)asked->user_port;
    __u32 own_be[4] = {};
    __u32 addr_be[4];

    addr_be[0] = asked->user_ip6[0];
    addr_be[1] = asked->user_ip6[1];
    addr_be[2] = asked->user_ip6[2];
    addr_be[3] = asked->user_ip6[3];
    if (sk && !back) {
        own_be[0] = sk->src_ip6[0];
        own_be[1] = sk->src_ip6[1];
        own_be[2] = sk->src_ip6[2];
        own_be[3] = sk->src_ip6[3];
    }
    if (back ? asked_for(asked, addr_be, &port_be)
             : to_pod_of(asked, addr_be, &port_be, is_loopback(own_be))) {
        asked->user_ip6[0] = addr_be[0];
        asked->user_ip6[1] = addr_be[1];
        asked->user_ip6[2] = addr_be[2];
        asked->user_ip6[3] = addr_be[3];
        asked->user_port = port_be;
    }
    return 1;
}
