// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// ICMP errors about flows that conntrack does not know (full mode): translated as the flow's
// packets are, outside and in the packet that they quote. Without that, path MTU discovery would
// break.
#pragma once

#include "lib/packet.h"
#include "lib/rewrite.h"
#include "maps/portmap_counters.h"
#include "maps/portmap_flows.h"
#include "portmap/full.h"
#include "portmap/send.h"

// Type, code, checksum, four bytes more; then the quoted packet. The same for both families.
// linux/icmp.h includes libc's headers.
#define TORTIE_ICMP_BYTES 8
#define TORTIE_ICMP_SUM_OFF 2

// The quoted packet, as much as every error carries (RFC 792, RFC 4443 section 3).
struct quoted {
    __u32 src_be[4];
    __u32 dst_be[4];
    __u16 ports_be[2];
    __u16 end_off;  // where the error ends; what follows in the frame is the link's padding
    __u8 l4_proto;
    __u8 pad[1];
};

static __always_inline bool is_error(__u8 type, const bool v6)
{
    if (v6)
        return type >= 1 && type <= 4;  // RFC 4443: unreachable, too big, time exceeded, parameter
    return type == 3 || type == 11 || type == 12;  // RFC 792: the same, too big among unreachable
}

static __always_inline __u32 quoted_off(const bool v6)
{
    return l4_off(v6) + TORTIE_ICMP_BYTES;
}

static __always_inline bool read_addresses(struct __sk_buff *skb, __u32 l3, const bool v6,
                                           __u32 src_be[4], __u32 dst_be[4], __u8 *l4_proto)
{
    if (v6) {
        struct ipv6hdr ip;

        if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) < 0 || ip.version != 6)
            return false;
        copy_address(src_be, ip.saddr.in6_u.u6_addr32);
        copy_address(dst_be, ip.daddr.in6_u.u6_addr32);
        *l4_proto = ip.nexthdr;
        return true;
    }
    struct iphdr ip;

    if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) < 0 || ip.version != 4 ||
        ip.ihl != sizeof(ip) / 4 || ip.frag_off & bpf_htons(TORTIE_IP_OFFSET))
        return false;
    map_address4(src_be, ip.saddr);
    map_address4(dst_be, ip.daddr);
    *l4_proto = ip.protocol;
    return true;
}

// Where the packet ends by its own header; 0 when that cannot be.
static __always_inline __u16 end_of(struct __sk_buff *skb, const bool v6)
{
    const __u32 length_off =
        v6 ? offsetof(struct ipv6hdr, payload_len) : offsetof(struct iphdr, tot_len);
    __u16 said_be;
    __u32 end;

    if (bpf_skb_load_bytes(skb, ETH_HLEN + length_off, &said_be, sizeof(said_be)) < 0)
        return 0;
    end = ETH_HLEN + bpf_ntohs(said_be) + (v6 ? sizeof(struct ipv6hdr) : 0);
    return end <= skb->len && end <= 0xffff ? (__u16)end : 0;
}

static __always_inline bool read_quoted(struct __sk_buff *skb, const bool v6, struct quoted *to)
{
    const __u32 off = quoted_off(v6);

    to->end_off = end_of(skb, v6);
    if (off + l3_bytes(v6) + TORTIE_UDP_READ_BYTES > to->end_off)
        return false;
    if (!read_addresses(skb, off, v6, to->src_be, to->dst_be, &to->l4_proto))
        return false;
    if (to->l4_proto != IPPROTO_TCP && to->l4_proto != IPPROTO_UDP)
        return false;
    return bpf_skb_load_bytes(skb, off + l3_bytes(v6), to->ports_be, sizeof(to->ports_be)) == 0;
}

// What an error is about is a packet of the other direction: from the uplink, one that the pod sent
// and we translated; from the pod, one that it got from us. The tuple is that of the flow whose
// packets come from where the error came from.
static __always_inline void tuple_about(struct pm_tuple6 *to, const struct quoted *from, __u8 dir)
{
    copy_address(to->src_be, from->dst_be);
    copy_address(to->dst_be, from->src_be);
    to->src_port_be = from->ports_be[1];
    to->dst_port_be = from->ports_be[0];
    to->l4_proto = from->l4_proto;
    to->dir = dir;
    to->pad = 0;
}

// Writes 16 bits or more into the packet, and adds to `diff` what that does to a sum over it.
static __always_inline bool change(struct __sk_buff *skb, __u32 off, const void *to, __u32 size,
                                   __u64 *diff)
{
    __u32 old_be[4] = {};
    __u32 new_be[4] = {};

    if (bpf_skb_load_bytes(skb, off, old_be, size) < 0)
        return false;
    __builtin_memcpy(new_be, to, size);
    for (int i = 0; i < 4; ++i)
        *diff += (__u64)(__u32)~old_be[i] + new_be[i];
    return bpf_skb_store_bytes(skb, off, to, size, 0) == 0;
}

// The checksum of the quoted TCP or UDP header, where it is quoted and there is one.
static __always_inline bool change_quoted_sum(struct __sk_buff *skb, const bool v6,
                                              const struct quoted *quoted, __u64 by, __u64 *diff)
{
    const __u8 l4_proto = quoted->l4_proto;
    const __u32 off =
        quoted_off(v6) + l3_bytes(v6) +
        (l4_proto == IPPROTO_TCP ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
    __u16 sum;

    if (off + sizeof(sum) > quoted->end_off)
        return true;
    if (bpf_skb_load_bytes(skb, off, &sum, sizeof(sum)) < 0)
        return false;
    if (l4_proto == IPPROTO_UDP && !sum)
        return true;
    sum = (__u16)~fold16((__u64)(__u16)~sum + by);
    if (l4_proto == IPPROTO_UDP && !sum)
        sum = 0xffff;
    return change(skb, off, &sum, sizeof(sum), diff);
}

// What the quoted packet was before we, or conntrack, translated it. `diff` is what that does to a
// sum over it.
static __always_inline bool change_quoted(struct __sk_buff *skb, const bool v6, const bool to_pod,
                                          const struct quoted *quoted, const __u32 *addr_be,
                                          __u16 port_be, __u64 *diff)
{
    const __u32 off = quoted_off(v6);
    const __u32 ports = off + l3_bytes(v6);
    __u64 of_address = 0;
    __u64 of_port = 0;
    __u16 sum;
    // From the uplink the quoted source is ours; from the pod the quoted destination is the pod's.
    const __u32 addr_off =
        v6 ? (to_pod ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr))
           : (to_pod ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr));

    if (!change(skb, off + addr_off, addr_be, v6 ? 16 : 4, &of_address))
        return false;
    of_address = fold16(of_address);
    if (!change(skb, ports + (to_pod ? 0 : 2), &port_be, sizeof(port_be), &of_port))
        return false;
    of_port = fold16(of_port);
    *diff = of_address + of_port;
    if (!v6) {
        if (bpf_skb_load_bytes(skb, off + offsetof(struct iphdr, check), &sum, sizeof(sum)) < 0)
            return false;
        sum = (__u16)~fold16((__u64)(__u16)~sum + of_address);
        if (!change(skb, off + offsetof(struct iphdr, check), &sum, sizeof(sum), diff))
            return false;
    }
    return change_quoted_sum(skb, v6, quoted, of_address + of_port, diff);
}

// The outer IP header, whose address was the flow's, and one hop less to live.
static __always_inline bool change_outer(struct __sk_buff *skb, const bool v6, const bool to_pod,
                                         const __u32 *addr_be, __u64 *diff)
{
    const struct rewriting to = {.addr_be = addr_be};
    void *data = (void *)(long)skb->data;
    void *end = (void *)(long)skb->data_end;
    __u32 old_be[4] = {};
    __u32 new_be[4] = {};

    if (data + l4_off(v6) > end)
        return false;
    if (v6) {
        struct ipv6hdr *ip = data + ETH_HLEN;

        copy_address(old_be, to_pod ? ip->daddr.in6_u.u6_addr32 : ip->saddr.in6_u.u6_addr32);
        copy_address(new_be, addr_be);
        *diff = address_diff(old_be, new_be);
        rewrite_ip(ip, v6, to_pod, &to);
        return true;
    }
    struct iphdr *ip = data + ETH_HLEN;
    struct rewriting to4 = to;

    old_be[0] = to_pod ? ip->daddr : ip->saddr;
    new_be[0] = addr_be[0];
    to4.addr_diff = address_diff(old_be, new_be);
    rewrite_ip(ip, v6, to_pod, &to4);
    return true;
}

static __always_inline int translate_error(struct __sk_buff *skb, const bool v6, const __u8 dir,
                                           const struct quoted *quoted, const struct pm_flow *flow)
{
    const bool to_pod = dir == TORTIE_PM_FORWARD;
    const __u32 *addr_be =
        v6 ? ((const struct pm_flow6 *)flow)->addr_be : &((const struct pm_flow4 *)flow)->addr_be;
    const __u32 sum_off = l4_off(v6) + TORTIE_ICMP_SUM_OFF;
    __u64 of_outer = 0;
    __u64 of_quoted = 0;

    if (!change_quoted(skb, v6, to_pod, quoted, addr_be, flow->port_be, &of_quoted) ||
        !change_outer(skb, v6, to_pod, addr_be, &of_outer))
        goto lost;
    if (bpf_l4_csum_replace(skb, sum_off, 0, fold16(of_quoted), 0) < 0)
        goto lost;
    if (v6) {
        if (bpf_l4_csum_replace(skb, sum_off, 0, of_outer, BPF_F_PSEUDO_HDR) < 0)
            goto lost;
        bpf_csum_update(skb, (__u32)of_outer + (__u16)~bpf_htons(1));  // see rewrite()
    }
    count(TORTIE_PM_ICMP_TRANSLATED);
    return send_on(flow, v6, dir);
lost:
    count(TORTIE_PM_REWRITE);
    return TC_ACT_SHOT;
}

// The flow, half open or not, in the tables of the packet's family.
static __always_inline struct pm_flow *find_of_family(const struct pm_tuple6 *tuple, const bool v6)
{
    struct pm_tuple4 narrow;
    struct pm_flow *flow;

    if (v6) {
        flow = bpf_map_lookup_elem(&tt_pm_flow6, tuple);
        return flow ? flow : bpf_map_lookup_elem(&tt_pm_half6, tuple);
    }
    narrow_tuple(&narrow, tuple);
    flow = bpf_map_lookup_elem(&tt_pm_flow4, &narrow);
    return flow ? flow : bpf_map_lookup_elem(&tt_pm_half4, &narrow);
}

static __always_inline int icmp(struct __sk_buff *skb, const bool v6, const __u8 dir)
{
    const bool to_pod = dir == TORTIE_PM_FORWARD;
    struct pm_scratch *work = scratch();
    struct pm_flow *flow;
    struct quoted quoted = {};
    __u32 outer_be[2][4];
    __u8 l4_proto;
    __u8 type;

    if (!work || bpf_skb_load_bytes(skb, l4_off(v6), &type, sizeof(type)) < 0)
        return TC_ACT_UNSPEC;
    if (!is_error(type, v6) || !read_quoted(skb, v6, &quoted))
        return TC_ACT_UNSPEC;
    if (!is_port_set(to_pod ? tt_pm_state.hostport_bits : tt_pm_state.podport_bits, quoted.l4_proto,
                     quoted.ports_be[to_pod ? 0 : 1]))
        return TC_ACT_UNSPEC;
    tuple_about(&work->tuple, &quoted, dir);
    flow = find_of_family(&work->tuple, v6);
    if (!flow || flow->mode != TORTIE_PM_FULL)
        return TC_ACT_UNSPEC;
    // To the address that the quoted packet came from (RFC 1122 section 3.2.2), or from where it
    // went: whoever else sends errors about the flow is not translated.
    if (!read_addresses(skb, ETH_HLEN, v6, outer_be[0], outer_be[1], &l4_proto))
        return TC_ACT_UNSPEC;
    if (!same_address(to_pod ? outer_be[1] : outer_be[0], to_pod ? quoted.src_be : quoted.dst_be))
        return TC_ACT_UNSPEC;
    if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
        return leave(TORTIE_PM_OTHER_HOST);
    if (flow->in_ifindex != skb->ifindex)
        return leave(TORTIE_PM_OTHER_UPLINK);
    if (skb->len - ETH_HLEN > flow->mtu)
        return leave(TORTIE_PM_TOO_BIG);
    return translate_error(skb, v6, dir, &quoted, flow);
}

// For each family and direction a function of its own. With a direction that is no constant clang
// makes pointer arithmetic that the verifier refuses ("R4 bitwise operator |= on pointer
// prohibited"), and a program is given only those that it calls.
__noinline int pm_icmp4_to_pod(struct __sk_buff *skb)
{
    return icmp(skb, false, TORTIE_PM_FORWARD);
}

__noinline int pm_icmp6_to_pod(struct __sk_buff *skb)
{
    return icmp(skb, true, TORTIE_PM_FORWARD);
}

__noinline int pm_icmp4_from_pod(struct __sk_buff *skb)
{
    return icmp(skb, false, TORTIE_PM_REPLY);
}

__noinline int pm_icmp6_from_pod(struct __sk_buff *skb)
{
    return icmp(skb, true, TORTIE_PM_REPLY);
}

static __always_inline int translate_icmp(struct __sk_buff *skb, const bool v6, const __u8 dir)
{
    if (dir == TORTIE_PM_FORWARD)
        return v6 ? pm_icmp6_to_pod(skb) : pm_icmp4_to_pod(skb);
    return v6 ? pm_icmp6_from_pod(skb) : pm_icmp4_from_pod(skb);
}
