// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Asking the kernel's conntrack. The functions are kfuncs: since 6.0 in the kernel or its module
// nf_conntrack, and optional here. Whether this object can ask is decided when it is loaded, by
// whether struct bpf_ct_opts is in the BTF of the kernel and its modules at that moment; testing
// the symbols instead fails where nf_conntrack is a module (libbpf 1.1).
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "lib/address.h"
#include "lib/kernel_types.h"
#include "portmap/scratch.h"
#include "shared/portmap_counters.h"

// The first form of struct bpf_ct_opts; later kernels take it, too.
struct ct_question {
    __s32 netns_id;  // -1: that of the packet's device
    __s32 error;
    __u8 l4_proto;
    __u8 dir;  // answer: the tuple is the flow's original (0) or its reply (1)
    __u8 reserved[2];
};

struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *, struct bpf_sock_tuple *, __u32,
                                  struct ct_question *, __u32)
__ksym __weak;
void bpf_ct_release(struct nf_conn *) __ksym __weak;
int bpf_ct_change_timeout(struct nf_conn *, __u32)
__ksym __weak;

// enum ip_conntrack_status of <linux/netfilter/nf_conntrack_common.h>, and two that it hides.
#define TORTIE_IPS_SEEN_REPLY (1u << 1)
#define TORTIE_IPS_ASSURED (1u << 2)
#define TORTIE_IPS_CONFIRMED (1u << 3)
#define TORTIE_IPS_SRC_NAT (1u << 4)
#define TORTIE_IPS_DST_NAT (1u << 5)
#define TORTIE_IPS_SEQ_ADJUST (1u << 6)
#define TORTIE_IPS_DYING (1u << 9)
#define TORTIE_IPS_FIXED_TIMEOUT (1u << 10)
#define TORTIE_IPS_NAT_CLASH (1u << 12)
#define TORTIE_IPS_HELPER (1u << 13)
#define TORTIE_IPS_OFFLOAD (1u << 14)
#define TORTIE_IPS_HW_OFFLOAD (1u << 15)
#define TORTIE_TCP_CONNTRACK_ESTABLISHED 3

static __always_inline bool can_ask_conntrack(void)
{
    return bpf_core_type_exists(struct bpf_ct_opts);
}

static __always_inline void read_address(__u32 to_be[4], const union nf_inet_addr *from, bool v4)
{
    if (v4) {
        map_address4(to_be, from->all[0]);
        return;
    }
    to_be[0] = from->all[0];
    to_be[1] = from->all[1];
    to_be[2] = from->all[2];
    to_be[3] = from->all[3];
}

// Whether this flow is one whose packets only have to be translated: accepted, answered, its
// destination changed and nothing else, and nobody changes or counts its contents.
static __always_inline __u32 why_not_carry(const struct nf_conn *flow, __u8 l4_proto)
{
    const unsigned long status = flow->status;

    if (status &
        (TORTIE_IPS_DYING | TORTIE_IPS_SRC_NAT | TORTIE_IPS_SEQ_ADJUST | TORTIE_IPS_NAT_CLASH |
         TORTIE_IPS_HELPER | TORTIE_IPS_OFFLOAD | TORTIE_IPS_HW_OFFLOAD | TORTIE_IPS_FIXED_TIMEOUT))
        return TORTIE_PM_OTHERS_FLOW;
    if (!(status & TORTIE_IPS_DST_NAT))
        return TORTIE_PM_OTHERS_FLOW;
    if ((status & (TORTIE_IPS_CONFIRMED | TORTIE_IPS_SEEN_REPLY)) !=
        (TORTIE_IPS_CONFIRMED | TORTIE_IPS_SEEN_REPLY))
        return TORTIE_PM_UNSETTLED;
    if (l4_proto == IPPROTO_TCP && (!(status & TORTIE_IPS_ASSURED) ||
                                    flow->proto.tcp.state != TORTIE_TCP_CONNTRACK_ESTABLISHED))
        return TORTIE_PM_UNSETTLED;
    if ((__s32)(flow->timeout - (__u32)bpf_jiffies64()) <= 0)
        return TORTIE_PM_UNKNOWN_FLOW;
    return 0;
}

// The entry for a packet's tuple; the caller releases it. 0 when there is none.
static __always_inline struct nf_conn *find_conntrack(struct __sk_buff *skb,
                                                      const struct pm_tuple6 *tuple, __u8 *dir)
{
    struct ct_question question = {.netns_id = -1, .l4_proto = tuple->l4_proto};
    struct bpf_sock_tuple asked = {};
    struct nf_conn *flow;

    if (is_mapped4(tuple->src_be)) {
        asked.ipv4.saddr = tuple->src_be[3];
        asked.ipv4.daddr = tuple->dst_be[3];
        asked.ipv4.sport = tuple->src_port_be;
        asked.ipv4.dport = tuple->dst_port_be;
        flow = bpf_skb_ct_lookup(skb, &asked, sizeof(asked.ipv4), &question, sizeof(question));
    } else {
        copy_address(asked.ipv6.saddr, tuple->src_be);
        copy_address(asked.ipv6.daddr, tuple->dst_be);
        asked.ipv6.sport = tuple->src_port_be;
        asked.ipv6.dport = tuple->dst_port_be;
        flow = bpf_skb_ct_lookup(skb, &asked, sizeof(asked.ipv6), &question, sizeof(question));
    }
    *dir = question.dir;
    return flow;
}

// What conntrack says about a packet's tuple, in `to`. `timeout_ms` is what the entry is given to
// live; 0 leaves that alone. Returns 0, or why the packet cannot be carried.
static __always_inline __u32 ask_conntrack(struct __sk_buff *skb, const struct pm_tuple6 *tuple,
                                           __u32 timeout_ms, struct flow_ends *to)
{
    const bool v4 = is_mapped4(tuple->src_be);
    struct nf_conn *flow;
    __u32 why;
    __u8 dir;

    if (!can_ask_conntrack())
        return TORTIE_PM_NO_CONNTRACK;
    flow = find_conntrack(skb, tuple, &dir);
    if (!flow)
        return TORTIE_PM_UNKNOWN_FLOW;
    why = why_not_carry(flow, tuple->l4_proto);
    if (why)
        goto release;
    read_address(to->client_be, &flow->tuplehash[0].tuple.src.u3, v4);
    read_address(to->node_be, &flow->tuplehash[0].tuple.dst.u3, v4);
    read_address(to->pod_be, &flow->tuplehash[1].tuple.src.u3, v4);
    to->client_port_be = flow->tuplehash[0].tuple.src.u.all;
    to->node_port_be = flow->tuplehash[0].tuple.dst.u.all;
    to->pod_port_be = flow->tuplehash[1].tuple.src.u.all;
    to->dir = dir;
    to->pad = 0;
    if (timeout_ms)
        bpf_ct_change_timeout(flow, timeout_ms);
release:
    bpf_ct_release(flow);
    return why;
}
