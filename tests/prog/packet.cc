// SPDX-License-Identifier: Apache-2.0
#include "prog/packet.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace tortie::test {
namespace {

constexpr std::size_t kEthernetBytes = 14;

void put8(Bytes &out, std::size_t value)
{
    out.push_back(static_cast<std::uint8_t>(value));
}

void put16(Bytes &out, std::size_t value)
{
    put8(out, value >> 8);
    put8(out, value);
}

void put32(Bytes &out, std::size_t value)
{
    put16(out, value >> 16);
    put16(out, value);
}

void set16(Bytes &out, std::size_t at, std::size_t value)
{
    out.at(at) = static_cast<std::uint8_t>(value >> 8);
    out.at(at + 1) = static_cast<std::uint8_t>(value);
}

std::uint16_t get16(std::span<const std::uint8_t> bytes, std::size_t at)
{
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void append(Bytes &out, std::span<const std::uint8_t> bytes)
{
    out.insert(out.end(), bytes.begin(), bytes.end());
}

Bytes address_bytes(const std::string &text)
{
    const MapAddress address(text);
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(address.words_be);
    const bool v4 = text.find(':') == std::string::npos;
    return {bytes + (v4 ? 12 : 0), bytes + 16};
}

std::uint32_t sum_of(std::span<const std::uint8_t> bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        sum += i % 2 == 0 ? bytes[i] * 256u : bytes[i];
    return sum;
}

std::uint16_t folded(std::uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

// Over the pseudo header (RFC 793, RFC 8200 section 8.1) and what it stands for.
std::uint16_t pseudo_sum(std::span<const std::uint8_t> src, std::span<const std::uint8_t> dst,
                         std::uint8_t l4_proto, std::span<const std::uint8_t> l4)
{
    return folded(sum_of(src) + sum_of(dst) + l4_proto + static_cast<std::uint32_t>(l4.size()) +
                  sum_of(l4));
}

Bytes l4_header(const Shape &shape)
{
    Bytes out;
    put16(out, shape.from.port);
    put16(out, shape.to.port);
    if (shape.l4_proto == IPPROTO_TCP) {
        put32(out, 0x01020304);
        put32(out, 0x05060708);
        put8(out, 0x50);
        put8(out, shape.tcp_flags);
        put16(out, 0xffff);
        put32(out, 0);
    } else {
        put16(out, 8 + shape.payload.size());
        put16(out, 0);
    }
    out.insert(out.end(), shape.payload.begin(), shape.payload.end());
    return out;
}

void put_ethernet(Bytes &out, bool v6)
{
    append(out, Bytes(6));
    append(out, Bytes{2, 0, 0, 0, 0, 2});
    put16(out, v6 ? 0x86dd : 0x0800);
}

void put_ip4(Bytes &out, const Bytes &src, const Bytes &dst, std::uint8_t l4_proto,
             std::uint8_t ttl, std::uint16_t fragment, std::size_t option_bytes,
             std::size_t l4_bytes)
{
    const std::size_t at = out.size();
    put8(out, 0x45 + option_bytes / 4);
    put8(out, 0);
    put16(out, 20 + option_bytes + l4_bytes);
    put16(out, 0x1234);
    put16(out, fragment);
    put8(out, ttl);
    put8(out, l4_proto);
    put16(out, 0);
    append(out, src);
    append(out, dst);
    append(out, Bytes(option_bytes, 1));  // "no operation"
    set16(out, at + 10, static_cast<std::uint16_t>(~folded(sum_of(std::span(out).subspan(at)))));
}

void put_ip6(Bytes &out, const Bytes &src, const Bytes &dst, std::uint8_t l4_proto,
             std::uint8_t ttl, int extension, std::size_t l4_bytes)
{
    put32(out, 0x60000000);
    put16(out, l4_bytes + (extension >= 0 ? 8 : 0));
    put8(out, extension >= 0 ? static_cast<std::size_t>(extension) : l4_proto);
    put8(out, ttl);
    append(out, src);
    append(out, dst);
    if (extension < 0)
        return;
    put8(out, l4_proto);
    append(out, Bytes{0, 1, 4, 0, 0, 0, 0});  // 8 bytes, one PadN option
}

bool l4_sum_is_right(std::span<const std::uint8_t> src, std::span<const std::uint8_t> dst,
                     std::uint8_t l4_proto, std::span<const std::uint8_t> l4)
{
    if (l4_proto == IPPROTO_UDP && l4.size() >= 8 && get16(l4, 6) == 0)
        return true;
    if (l4_proto == IPPROTO_ICMP)
        return folded(sum_of(l4)) == 0xffff;
    if (l4_proto != IPPROTO_TCP && l4_proto != IPPROTO_UDP && l4_proto != IPPROTO_ICMPV6)
        return true;
    return pseudo_sum(src, dst, l4_proto, l4) == 0xffff;
}

}  // namespace

bool is_v6(const Shape &shape)
{
    return shape.to.address.find(':') != std::string::npos;
}

Bytes packet(const Shape &shape)
{
    const bool v6 = is_v6(shape);
    const Bytes src = address_bytes(shape.from.address);
    const Bytes dst = address_bytes(shape.to.address);
    Bytes l4 = l4_header(shape);
    if (shape.l4_proto == IPPROTO_TCP || shape.udp_checksum) {
        const auto sum = static_cast<std::uint16_t>(~pseudo_sum(src, dst, shape.l4_proto, l4));
        set16(l4, shape.l4_proto == IPPROTO_TCP ? 16 : 6,
              sum == 0 && shape.l4_proto == IPPROTO_UDP ? 0xffff : sum);
    }

    Bytes out;
    put_ethernet(out, v6);
    if (v6)
        put_ip6(out, src, dst, shape.l4_proto, shape.ttl, shape.extension, l4.size());
    else
        put_ip4(out, src, dst, shape.l4_proto, shape.ttl, shape.fragment, shape.option_bytes,
                l4.size());
    append(out, l4);
    return out;
}

Bytes too_big(const std::string &from, const std::string &to, const Bytes &quoted,
              std::size_t quoted_bytes, std::uint8_t ttl)
{
    const bool v6 = to.find(':') != std::string::npos;
    const Bytes src = address_bytes(from);
    const Bytes dst = address_bytes(to);
    const std::uint8_t l4_proto = v6 ? 58 : 1;  // ICMPv6, ICMP
    Bytes icmp;
    put8(icmp, v6 ? 2 : 3);
    put8(icmp, v6 ? 0 : 4);
    put16(icmp, 0);
    put32(icmp, 1300);
    append(icmp, std::span(quoted).subspan(kEthernetBytes, quoted_bytes));
    set16(icmp, 2,
          static_cast<std::uint16_t>(
              ~(v6 ? pseudo_sum(src, dst, l4_proto, icmp) : folded(sum_of(icmp)))));

    Bytes out;
    put_ethernet(out, v6);
    if (v6)
        put_ip6(out, src, dst, l4_proto, ttl, -1, icmp.size());
    else
        put_ip4(out, src, dst, l4_proto, ttl, 0, 0, icmp.size());
    append(out, icmp);
    return out;
}

bool sums_are_right(const Bytes &frame)
{
    const auto ip = std::span(frame).subspan(std::min(frame.size(), kEthernetBytes));
    if (ip.size() >= 40 && ip[0] >> 4 == 6) {
        const std::size_t l4_bytes = std::min<std::size_t>(get16(ip, 4), ip.size() - 40);
        return l4_sum_is_right(ip.subspan(8, 16), ip.subspan(24, 16), ip[6],
                               ip.subspan(40, l4_bytes));
    }
    if (ip.size() < 20 || ip[0] != 0x45)
        return true;
    const std::size_t said = std::min<std::size_t>(get16(ip, 2), ip.size());
    if (said < 20 || folded(sum_of(ip.first(20))) != 0xffff)
        return false;
    if ((get16(ip, 6) & 0x3fff) != 0)
        return true;
    return l4_sum_is_right(ip.subspan(12, 4), ip.subspan(16, 4), ip[9], ip.subspan(20, said - 20));
}

}  // namespace tortie::test
