// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Reading a packet's headers with direct access: these paths are what the datapath's speed is
// made of. Both families by one function; `v6` is a constant wherever it is called.
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TORTIE_IP_FRAGMENT 0x3fff  // RFC 791 section 3.1: more fragments, or an offset
#define TORTIE_IP_OFFSET 0x1fff    // the offset alone
#define TORTIE_TCP_FLAGS_OFF 13    // RFC 9293 section 3.1
#define TORTIE_TCP_FIN 0x01
#define TORTIE_TCP_SYN 0x02
#define TORTIE_TCP_RST 0x04
#define TORTIE_TCP_ACK 0x10

// The headers, whole: what is changed in them must be there.
#define TORTIE_TCP_READ_BYTES 20
#define TORTIE_UDP_READ_BYTES 8

enum parsed {
    PARSED,            // TCP or UDP, every field below is set
    PARSED_NOT_OURS,   // another protocol
    PARSED_SHORT,      // a header does not fit in the packet
    PARSED_FRAGMENT,   // IPv4: fragment; the ports may not be there
    PARSED_OPTIONS,    // IPv4: options
    PARSED_EXTENSION,  // IPv6: extension header
    PARSED_ICMP,       // ICMP or ICMPv6 right behind the IP header; l3 is set
};

// Pointers into the packet: gone after any call that may change it.
struct packet {
    void *l3;
    __u16 *ports_be;  // source, destination
    __u8 l4_proto;
    __u8 tcp_flags;  // 0 for UDP
    __u8 pad[6];
};

static __always_inline __u32 l3_bytes(const bool v6)
{
    return v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline __u32 l4_off(const bool v6)
{
    return ETH_HLEN + l3_bytes(v6);
}

// Whether the protocol that follows IPv6's header is an extension header: hop-by-hop, routing,
// fragment, authentication, destination options, mobility, HIP, shim6 (RFC 7045 section 4).
static __always_inline bool is_extension6(__u8 proto)
{
    return proto == 0 || proto == 43 || proto == 44 || proto == 51 || proto == 60 || proto == 135 ||
           proto == 139 || proto == 140;
}

// The first `bytes` bytes of the packet made readable where they can be. Rarely needed: drivers
// put headers into the linear part.
static __always_inline bool pull(struct __sk_buff *skb, __u32 bytes)
{
    return bytes <= skb->len && bpf_skb_pull_data(skb, bytes) == 0;
}

static __always_inline enum parsed parse_ip(const void *l3, const bool v6, __u8 *proto)
{
    if (v6) {
        const struct ipv6hdr *ip = l3;

        *proto = ip->nexthdr;
        if (ip->version != 6)
            return PARSED_NOT_OURS;
        return is_extension6(ip->nexthdr) ? PARSED_EXTENSION : PARSED;
    }
    const struct iphdr *ip = l3;

    *proto = ip->protocol;
    if (*(const __u8 *)l3 != 0x45)  // version 4, five words
        return ip->version == 4 ? PARSED_OPTIONS : PARSED_NOT_OURS;
    return ip->frag_off & bpf_htons(TORTIE_IP_FRAGMENT) ? PARSED_FRAGMENT : PARSED;
}

// Only for packets whose ethertype is the family's.
static __always_inline enum parsed parse(struct __sk_buff *skb, const bool v6, struct packet *p)
{
    const __u32 off = l4_off(v6);
    void *data = (void *)(long)skb->data;
    void *end = (void *)(long)skb->data_end;
    enum parsed found;

    // A datagram may be shorter than what is read of TCP.
    if (data + off + TORTIE_TCP_READ_BYTES > end &&
        (off + TORTIE_TCP_READ_BYTES <= skb->len || data + off + TORTIE_UDP_READ_BYTES > end)) {
        if (!pull(skb, off + TORTIE_TCP_READ_BYTES) && !pull(skb, off + TORTIE_UDP_READ_BYTES))
            return PARSED_SHORT;
        data = (void *)(long)skb->data;
        end = (void *)(long)skb->data_end;
    }
    if (data + off + TORTIE_UDP_READ_BYTES > end)
        return PARSED_SHORT;
    p->l3 = data + ETH_HLEN;
    p->ports_be = data + off;
    p->tcp_flags = 0;
    found = parse_ip(p->l3, v6, &p->l4_proto);
    if (found != PARSED)
        return found;
    if (p->l4_proto == IPPROTO_TCP) {
        if (data + off + TORTIE_TCP_READ_BYTES > end)
            return PARSED_SHORT;
        p->tcp_flags = *((__u8 *)data + off + TORTIE_TCP_FLAGS_OFF);
        return PARSED;
    }
    if (p->l4_proto == IPPROTO_UDP)
        return PARSED;
    return p->l4_proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ? PARSED_ICMP : PARSED_NOT_OURS;
}

static __always_inline __u8 ttl_of(const struct packet *p, const bool v6)
{
    return v6 ? ((struct ipv6hdr *)p->l3)->hop_limit : ((struct iphdr *)p->l3)->ttl;
}

// Length of the IP packet as its own header says. 0 for jumbograms and what GRO made beyond
// 64 KiB ("BIG TCP").
static __always_inline __u32 said_bytes(const struct packet *p, const bool v6)
{
    if (v6) {
        const __u32 payload = bpf_ntohs(((struct ipv6hdr *)p->l3)->payload_len);

        return payload ? payload + sizeof(struct ipv6hdr) : 0;
    }
    return bpf_ntohs(((struct iphdr *)p->l3)->tot_len);
}

// Where a packet may not go although its headers are right.
enum fit {
    FITS,
    FITS_NOT,        // greater than `mtu`
    FITS_CUT_SHORT,  // the IP header promises more, or less than its own headers
};

// For a packet that is not of the usual form, which fits() asks about. A packet that the card or
// the peer put together (GSO) is measured by its segments.
static __noinline enum fit fits_unusual(struct __sk_buff *skb, __u32 said, __u32 mtu, __u32 headers)
{
    const __u32 bytes = skb->len - ETH_HLEN;
    const __u32 segment = skb->gso_size;

    if (said ? said > bytes || said < headers : !segment)
        return FITS_CUT_SHORT;
    if (segment)
        return headers + segment <= mtu ? FITS : FITS_NOT;
    return said <= mtu ? FITS : FITS_NOT;
}

// Whether the packet can go out on a link of that MTU.
static __always_inline enum fit fits(struct __sk_buff *skb, const struct packet *p, const bool v6,
                                     __u32 mtu)
{
    const __u32 bytes = skb->len - ETH_HLEN;
    const __u32 said = said_bytes(p, v6);
    __u32 l4_bytes = sizeof(struct udphdr);

    if (bytes == said && bytes <= mtu)
        return FITS;
    if (p->l4_proto == IPPROTO_TCP)
        l4_bytes = (*((__u8 *)p->ports_be + TORTIE_TCP_FLAGS_OFF - 1) >> 4) * 4u;
    return fits_unusual(skb, said, mtu, l3_bytes(v6) + l4_bytes);
}
