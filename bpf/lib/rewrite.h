// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Changing an address and a port in place. Checksums are patched from differences that were
// computed once, when the flow entry was made (RFC 1624); a wrong checksum stays wrong.
#pragma once

#include "lib/packet.h"

static __always_inline __u16 fold16(__u64 sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)sum;
}

// What has to be added to a ones' complement sum when `from` becomes `to`. 16 bits suffice.
static __always_inline __u32 address_diff(const __u32 from_be[4], const __u32 to_be[4])
{
    __u64 sum = 0;

    for (int i = 0; i < 4; ++i)
        sum += (__u64)(__u32)~from_be[i] + to_be[i];
    return fold16(sum);
}

static __always_inline __u32 port_diff(__u16 from_be, __u16 to_be)
{
    return from_be == to_be ? 0 : fold16((__u64)(__u16)~from_be + to_be);
}

// The same for a sum of a few 16-bit numbers, which is what a packet needs.
static __always_inline __u16 fold16_small(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)(sum + (sum >> 16));
}

// Whether the sum over an IPv4 header without options is right: a multiple of 0xffff, of which two
// are left after folding it to 17 bits.
static __always_inline bool header_sum_is_right(const struct iphdr *ip)
{
    const __u32 *word = (const __u32 *)ip;
    __u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff || sum == 0x1fffe;
}

// What becomes of a packet.
struct rewriting {
    const __u32 *addr_be;  // one word for IPv4, four for IPv6
    __u32 addr_diff;
    __u32 port_diff;
    __u16 port_be;
    __u8 pad[6];
};

static __always_inline void rewrite_ip(void *l3, const bool v6, const bool to_pod,
                                       const struct rewriting *to)
{
    if (v6) {
        struct ipv6hdr *ip = l3;
        __u32 *addr = to_pod ? ip->daddr.in6_u.u6_addr32 : ip->saddr.in6_u.u6_addr32;

        addr[0] = to->addr_be[0];
        addr[1] = to->addr_be[1];
        addr[2] = to->addr_be[2];
        addr[3] = to->addr_be[3];
        ip->hop_limit -= 1;
        return;
    }
    struct iphdr *ip = l3;
    // The TTL is the high byte of its word: one less there is 0x0100 less.
    const __u32 sum = (__u16)~ip->check + to->addr_diff + (__u16)~bpf_htons(0x0100);

    ip->check = (__u16)~fold16_small(sum);
    ip->ttl -= 1;
    if (to_pod)
        ip->daddr = to->addr_be[0];
    else
        ip->saddr = to->addr_be[0];
}

// Rewrites destination (`to_pod`) or source, and takes one from the time to live. Afterwards the
// pointers of `p` are gone. Returns false when the kernel refused half way: the packet must be
// dropped.
static __always_inline bool rewrite(struct __sk_buff *skb, const struct packet *p, const bool v6,
                                    const bool to_pod, const struct rewriting *to)
{
    const __u64 zero_stays = p->l4_proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
    const __u32 check_off =
        l4_off(v6) + (p->l4_proto == IPPROTO_TCP ? offsetof(struct tcphdr, check)
                                                 : offsetof(struct udphdr, check));
    const __u32 of_address = to->addr_diff;
    const __u32 of_port = to->port_diff;

    rewrite_ip(p->l3, v6, to_pod, to);
    p->ports_be[to_pod ? 1 : 0] = to->port_be;
    // These know about checksums that the card finishes (partial) or has summed up (complete).
    if (bpf_l4_csum_replace(skb, check_off, 0, of_address, BPF_F_PSEUDO_HDR | zero_stays) < 0)
        return false;
    if (of_port && bpf_l4_csum_replace(skb, check_off, 0, of_port, zero_stays) < 0)
        return false;
    // A complete sum covers the packet. With IPv4, the header's own checksum makes up for the
    // address there and the helper accounts for the one of TCP or UDP. IPv6 has no header checksum:
    // address and TCP's or UDP's checksum cancel out, so what the helper accounted for is taken
    // back, and the hop limit is one less. An error says that there is no such sum; what a pod
    // sends never has one.
    if (v6 && to_pod)
        bpf_csum_update(skb, of_address + (__u16)~bpf_htons(1));
    return true;
}
