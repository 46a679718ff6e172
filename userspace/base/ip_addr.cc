// SPDX-License-Identifier: Apache-2.0
#include "base/ip_addr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <charconv>

#include "base/strings.h"

namespace tortie {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// The longest run of at least two zero groups, the first one of equals (RFC 5952 section 4.2).
struct ZeroRun {
    int start = -1;
    int length = 0;
};

ZeroRun longest_zero_run(const std::array<unsigned, 8> &groups)
{
    ZeroRun best;
    for (int i = 0; i < 8;) {
        int end = i;
        while (end < 8 && groups[static_cast<std::size_t>(end)] == 0)
            ++end;
        if (end - i >= 2 && end - i > best.length)
            best = {i, end - i};
        i = std::max(end, i + 1);
    }
    return best;
}

void append_hex(std::string &text, unsigned group)
{
    std::array<char, 4> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), group, 16).ptr;
    text.append(digits.begin(), end);
}

std::string ipv6_text(std::span<const std::uint8_t> bytes_be)
{
    std::array<unsigned, 8> groups{};
    for (std::size_t i = 0; i < 8; ++i)
        groups[i] = static_cast<unsigned>(bytes_be[2 * i] << 8 | bytes_be[2 * i + 1]);
    const ZeroRun zeros = longest_zero_run(groups);

    std::string text;
    for (int i = 0; i < 8; ++i) {
        if (i == zeros.start) {
            text += "::";
            i += zeros.length - 1;
            continue;
        }
        if (!text.empty() && text.back() != ':')
            text += ':';
        append_hex(text, groups[static_cast<std::size_t>(i)]);
    }
    return text;
}

}  // namespace

std::optional<IpAddr> IpAddr::parse(std::string_view text)
{
    const std::string copy(text);
    if (copy.size() != text.size() || copy.find('\0') != std::string::npos)
        return std::nullopt;
    std::array<std::uint8_t, 16> raw{};
    if (::inet_pton(AF_INET, copy.c_str(), raw.data()) == 1)
        return from_bytes({raw.data(), 4});
    if (::inet_pton(AF_INET6, copy.c_str(), raw.data()) == 1)
        return from_bytes(raw);
    return std::nullopt;
}

IpAddr IpAddr::from_bytes(std::span<const std::uint8_t> bytes_be)
{
    assert(bytes_be.size() == 4 || bytes_be.size() == 16);
    if (bytes_be.size() == 16 && std::equal(kMapped.begin(), kMapped.end(), bytes_be.begin()))
        bytes_be = bytes_be.subspan(kMapped.size());
    IpAddr ip;
    ip.family_ = bytes_be.size() == 4 ? Family::kIpv4 : Family::kIpv6;
    std::copy(bytes_be.begin(), bytes_be.end(), ip.bytes_.begin());
    return ip;
}

std::string IpAddr::to_string() const
{
    if (family_ == Family::kIpv6)
        return ipv6_text(bytes_be());
    std::string text;
    for (const std::uint8_t byte : bytes_be())
        text += (text.empty() ? "" : ".") + std::to_string(byte);
    return text;
}

bool IpAddr::is_unspecified() const
{
    return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddr::is_loopback() const
{
    if (family_ == Family::kIpv4)
        return bytes_[0] == 127;
    return bytes_[15] == 1 && previous().is_unspecified();
}

IpAddr IpAddr::first_in(unsigned prefix) const
{
    IpAddr ip = *this;
    for (std::size_t i = 0; i < width_bits(family_) / 8; ++i) {
        const unsigned kept =
            std::min(8U, prefix > 8 * i ? prefix - static_cast<unsigned>(8 * i) : 0);
        ip.bytes_[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
    }
    return ip;
}

IpAddr IpAddr::last_in(unsigned prefix) const
{
    IpAddr ip = *this;
    for (std::size_t i = 0; i < width_bits(family_) / 8; ++i) {
        const unsigned kept =
            std::min(8U, prefix > 8 * i ? prefix - static_cast<unsigned>(8 * i) : 0);
        ip.bytes_[i] |= static_cast<std::uint8_t>(0xffU >> kept);
    }
    return ip;
}

IpAddr IpAddr::next() const
{
    IpAddr ip = *this;
    for (std::size_t i = width_bits(family_) / 8; i-- > 0;) {
        if (++ip.bytes_[i] != 0)
            break;
    }
    return ip;
}

IpAddr IpAddr::previous() const
{
    IpAddr ip = *this;
    for (std::size_t i = width_bits(family_) / 8; i-- > 0;) {
        if (ip.bytes_[i]-- != 0)
            break;
    }
    return ip;
}

std::optional<Cidr> Cidr::parse(std::string_view text)
{
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos)
        return std::nullopt;
    const auto addr = IpAddr::parse(text.substr(0, slash));
    const auto prefix = parse_number<unsigned>(text.substr(slash + 1));
    if (!addr || !prefix || *prefix > width_bits(addr->family()))
        return std::nullopt;
    const bool is_mapped = addr->family() == Family::kIpv4 && text.find(':') < slash;
    if (is_mapped)
        return std::nullopt;
    return Cidr{*addr, *prefix};
}

std::string Cidr::to_string() const
{
    return addr.to_string() + '/' + std::to_string(prefix);
}

}  // namespace tortie
