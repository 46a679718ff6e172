// SPDX-License-Identifier: Apache-2.0
//
// Packets byte by byte. Checksums are computed here from their definition (RFC 1071), not from
// differences as the programs do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "prog/portmap_object.h"

namespace tortie::test {

struct Endpoint {
    std::string address;  // the family is the packet's
    std::uint16_t port = 0;
};

struct Shape {
    Endpoint from;
    Endpoint to;
    std::uint8_t l4_proto = 0;  // IPPROTO_TCP or IPPROTO_UDP
    std::uint8_t ttl = 64;
    std::uint8_t tcp_flags = 0x10;          // ACK
    std::uint16_t fragment = 0;             // IPv4: flags and offset as they stand in the header
    std::size_t option_bytes = 0;           // IPv4: a multiple of 4
    int extension = -1;                     // IPv6: the extension header before TCP or UDP
    bool udp_checksum = true;               // false: zero, "none"
    std::string payload = "what is asked";  // an odd number of bytes
};

bool is_v6(const Shape &shape);

// Ethernet (addressed to loopback's 00:00:00:00:00:00, which is what BPF_PROG_TEST_RUN takes for
// the node), IP, TCP or UDP, payload.
Bytes packet(const Shape &shape);

// An ICMP or ICMPv6 error from one address to another about `quoted`, of which `quoted_bytes`
// bytes from the IP header on are in it. Type and code: too big, next MTU 1300.
Bytes too_big(const std::string &from, const std::string &to, const Bytes &quoted,
              std::size_t quoted_bytes, std::uint8_t ttl = 64);

// Whether every checksum in the packet is right: IPv4 header, TCP, UDP, ICMP; true where there is
// nothing to check.
bool sums_are_right(const Bytes &frame);

}  // namespace tortie::test
