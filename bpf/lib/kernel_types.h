// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The kernel's own structures, as far as they are read: libbpf finds the true offsets in the
// kernel's BTF (CO-RE). A field says since when it exists when that is after 5.10; what reads it
// asks bpf_core_field_exists() first. A flavour (name___since_6_6) is the same structure.
#pragma once

#include <linux/types.h>
#include <stdbool.h>

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct Qdisc {
    void *enqueue;  // 0: noqueue, packets go straight through
};

struct tcf_proto {
    struct tcf_proto *next;
};

struct mini_Qdisc {
    struct tcf_proto *filter_list;
};

// Since 6.6: programs at one hook of a device.
struct bpf_mprog_bundle {
    __u32 count;
};

struct bpf_mprog_entry {
    struct bpf_mprog_bundle *parent;
};

struct tcx_entry {
    struct mini_Qdisc *miniq;
    struct bpf_mprog_bundle bundle;
};

struct net_device {
    unsigned int mtu;
    struct Qdisc *qdisc;
    void *rx_handler;
    void *nf_hooks_ingress;               // with CONFIG_NETFILTER_INGRESS
    void *nf_hooks_egress;                // since 5.16, with CONFIG_NETFILTER_EGRESS
    struct mini_Qdisc *miniq_ingress;     // up to 6.5
    struct mini_Qdisc *miniq_egress;      // up to 6.5
    struct bpf_mprog_entry *tcx_ingress;  // since 6.6
    struct bpf_mprog_entry *tcx_egress;   // since 6.6
};

struct sk_buff {
    struct net_device *dev;
};

union nf_inet_addr {
    __u32 all[4];
};

union nf_conntrack_man_proto {
    __u16 all;
};

struct nf_conntrack_man {
    union nf_inet_addr u3;
    union nf_conntrack_man_proto u;
};

struct nf_conntrack_tuple {
    struct nf_conntrack_man src;
    struct {
        union nf_inet_addr u3;
        union {
            __u16 all;
        } u;
    } dst;
};

struct nf_conntrack_tuple_hash {
    struct nf_conntrack_tuple tuple;
};

struct ip_ct_tcp {
    __u8 state;
};

union nf_conntrack_proto {
    struct ip_ct_tcp tcp;
};

struct nf_conn {
    __u32 timeout;  // jiffies
    struct nf_conntrack_tuple_hash tuplehash[2];
    unsigned long status;  // IPS_*
    union nf_conntrack_proto proto;
};

struct bpf_ct_opts {  // since 5.18
    __s32 netns_id;
};

#pragma clang attribute pop
#pragma clang diagnostic pop
