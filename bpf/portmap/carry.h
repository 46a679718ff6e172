// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The path of nearly every packet: its flow is in the table, it is rewritten and sent on. Both
// families and both directions from one text: `v6` and `dir` are constants wherever these are
// called.
#pragma once

#include "lib/packet.h"
#include "lib/rewrite.h"
#include "maps/portmap_counters.h"
#include "maps/portmap_flows.h"
#include "portmap/consider.h"
#include "portmap/icmp.h"
#include "portmap/send.h"

union flow_key {
    struct pm_tuple4 v4;
    struct pm_tuple6 v6;
};

static __always_inline void fill_key(union flow_key *key, const struct packet *p, const bool v6,
                                     const __u8 dir)
{
    if (v6) {
        const struct ipv6hdr *ip = p->l3;

        copy_address(key->v6.src_be, ip->saddr.in6_u.u6_addr32);
        copy_address(key->v6.dst_be, ip->daddr.in6_u.u6_addr32);
        key->v6.src_port_be = p->ports_be[0];
        key->v6.dst_port_be = p->ports_be[1];
        key->v6.l4_proto = p->l4_proto;
        key->v6.dir = dir;
        key->v6.pad = 0;
        return;
    }
    const struct iphdr *ip = p->l3;

    key->v4.src_be = ip->saddr;
    key->v4.dst_be = ip->daddr;
    key->v4.src_port_be = p->ports_be[0];
    key->v4.dst_port_be = p->ports_be[1];
    key->v4.l4_proto = p->l4_proto;
    key->v4.dir = dir;
    key->v4.pad = 0;
}

// The wide form, which the slow paths speak.
static __always_inline void widen_key(struct pm_tuple6 *to, const union flow_key *key,
                                      const bool v6)
{
    if (v6) {
        *to = key->v6;
        return;
    }
    map_address4(to->src_be, key->v4.src_be);
    map_address4(to->dst_be, key->v4.dst_be);
    to->src_port_be = key->v4.src_port_be;
    to->dst_port_be = key->v4.dst_port_be;
    to->l4_proto = key->v4.l4_proto;
    to->dir = key->v4.dir;
    to->pad = 0;
}

static __always_inline struct pm_flow *find_by_key(const union flow_key *key, const bool v6)
{
    return v6 ? bpf_map_lookup_elem(&tt_pm_flow6, &key->v6)
              : bpf_map_lookup_elem(&tt_pm_flow4, &key->v4);
}

// A packet whose header has no ports to look at: counted where its port can be seen to be mapped,
// or where nothing can be seen.
static __noinline int leave_unparsed(struct __sk_buff *skb, __u32 found, __u32 dir)
{
    const __u64(*bits)[1024] =
        dir == TORTIE_PM_FORWARD ? tt_pm_state.hostport_bits : tt_pm_state.podport_bits;
    struct iphdr ip;
    __u16 ports_be[2];

    if (found == PARSED_EXTENSION)
        return leave(TORTIE_PM_EXTENSION);
    if (found == PARSED_SHORT)
        return leave(TORTIE_PM_SHORT);
    if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) < 0)
        return leave(TORTIE_PM_SHORT);
    if (ip.protocol != IPPROTO_TCP && ip.protocol != IPPROTO_UDP)
        return TC_ACT_UNSPEC;
    if (ip.frag_off & bpf_htons(TORTIE_IP_OFFSET))
        return leave(TORTIE_PM_FRAGMENT);
    if (bpf_skb_load_bytes(skb, ETH_HLEN + ip.ihl * 4u, ports_be, sizeof(ports_be)) < 0)
        return leave(TORTIE_PM_SHORT);
    if (!is_port_set(bits, ip.protocol, ports_be[dir == TORTIE_PM_FORWARD ? 1 : 0]))
        return TC_ACT_UNSPEC;
    return leave(found == PARSED_FRAGMENT ? TORTIE_PM_FRAGMENT : TORTIE_PM_OPTIONS);
}

static __always_inline bool needs_a_look(const struct pm_flow *flow, __u8 tcp_flags)
{
    return (tcp_flags & (TORTIE_TCP_SYN | TORTIE_TCP_FIN | TORTIE_TCP_RST)) ||
           is_due(flow->looked, now_jiffies()) ||
           flow->epoch != tt_pm_state.epochs[flow->epoch_slot % TORTIE_PM_EPOCHS];
}

// The entry that carries the packet, or 0 and why there is none.
static __always_inline struct pm_flow *flow_of(struct __sk_buff *skb, const union flow_key *key,
                                               const struct packet *p, const bool v6,
                                               const __u8 dir, __u32 *why)
{
    struct pm_flow *flow = find_by_key(key, v6);
    struct pm_scratch *work;

    if (flow && flow->in_ifindex == skb->ifindex && !needs_a_look(flow, p->tcp_flags))
        return flow;
    // The kernel drops such a packet; it must not open, end or prolong a flow.
    *why = TORTIE_PM_CHECKSUM;
    if (!v6 && !header_sum_is_right(p->l3))
        return 0;
    // It drops these, too (RFC 4942 section 2.2): slow paths would take them for IPv4.
    *why = TORTIE_PM_NO_MAPPING;
    if (v6 && (is_mapped4(key->v6.src_be) || is_mapped4(key->v6.dst_be)))
        return 0;
    *why = TORTIE_PM_TABLE;
    work = scratch();
    if (!work)
        return 0;
    widen_key(&work->tuple, key, v6);
    *why = dir == TORTIE_PM_FORWARD ? pm_consider_to_pod(skb, p->tcp_flags)
                                    : pm_consider_from_pod(skb, p->tcp_flags);
    if (*why == TORTIE_PM_CARRY_HALF)
        return v6 ? bpf_map_lookup_elem(&tt_pm_half6, &key->v6)
                  : bpf_map_lookup_elem(&tt_pm_half4, &key->v4);
    if (*why)
        return 0;
    *why = TORTIE_PM_TABLE;  // another packet may have taken it out again
    return find_by_key(key, v6);
}

// Whether an IP header is one that its receiver would take. To the pod, the pod's kernel checks.
static __always_inline bool may_leave(const struct packet *p, const bool v6, const __u8 dir)
{
    return v6 || dir == TORTIE_PM_FORWARD || header_sum_is_right(p->l3);
}

static __always_inline int carry(struct __sk_buff *skb, const bool v6, const __u8 dir)
{
    const bool to_pod = dir == TORTIE_PM_FORWARD;
    struct rewriting to = {};
    union flow_key key;
    struct pm_flow *flow;
    enum parsed found;
    struct packet p;
    enum fit fit;
    __u32 why;

    found = parse(skb, v6, &p);
    if (found == PARSED_NOT_OURS)
        return TC_ACT_UNSPEC;
    if (found == PARSED_ICMP) {
        // About flows that conntrack knows, netfilter translates them.
        if (!tt_pm_state.full || tt_pm_state.off)
            return TC_ACT_UNSPEC;
        return translate_icmp(skb, v6, dir);
    }
    if (found != PARSED)
        return leave_unparsed(skb, found, dir);
    // First of all: what every packet of the node that is not for us pays.
    if (!is_port_set(to_pod ? tt_pm_state.hostport_bits : tt_pm_state.podport_bits, p.l4_proto,
                     p.ports_be[to_pod ? 1 : 0]))
        return TC_ACT_UNSPEC;
    if (tt_pm_state.off)
        return leave(TORTIE_PM_OFF);
    if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
        return leave(TORTIE_PM_OTHER_HOST);
    if (ttl_of(&p, v6) <= 1)
        return leave(TORTIE_PM_TTL);
    if (!may_leave(&p, v6, dir))
        return leave(TORTIE_PM_CHECKSUM);

    fill_key(&key, &p, v6, dir);
    flow = flow_of(skb, &key, &p, v6, dir, &why);
    if (!flow)
        return leave(why);
    fit = fits(skb, &p, v6, flow->mtu);
    if (fit != FITS)
        return leave(fit == FITS_NOT ? TORTIE_PM_TOO_BIG : TORTIE_PM_SHORT);

    to.addr_be = v6 ? ((struct pm_flow6 *)flow)->addr_be : &((struct pm_flow4 *)flow)->addr_be;
    to.addr_diff = flow->addr_diff;
    to.port_diff = flow->port_diff;
    to.port_be = flow->port_be;
    if (!rewrite(skb, &p, v6, to_pod, &to)) {
        count(TORTIE_PM_REWRITE);
        return TC_ACT_SHOT;
    }
    count(to_pod ? TORTIE_PM_FORWARDED : TORTIE_PM_REPLIED);
    return send_on(flow, v6, dir);
}
