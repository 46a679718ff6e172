// SPDX-License-Identifier: Apache-2.0
//
// IP addresses and prefixes as values. An IPv4-mapped IPv6 address (::ffff:10.0.0.1) is read as
// IPv4, as the Go plugins do: there is one way to write an address, and files are named by it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tortie {

enum class Family : std::uint8_t { kIpv4, kIpv6 };

constexpr unsigned width_bits(Family family)
{
    return family == Family::kIpv4 ? 32 : 128;
}

class IpAddr {
public:
    IpAddr() = default;  // 0.0.0.0

    // Strict: no leading zeros in IPv4, no zone, no brackets, nothing around it.
    static std::optional<IpAddr> parse(std::string_view text);

    // Network order, 4 or 16 bytes; other lengths are a bug of the caller.
    static IpAddr from_bytes(std::span<const std::uint8_t> bytes_be);

    Family family() const { return family_; }
    std::span<const std::uint8_t> bytes_be() const
    {
        return {bytes_.data(), width_bits(family_) / 8};
    }

    // Canonical: dotted decimal, or RFC 5952.
    std::string to_string() const;

    bool is_unspecified() const;  // 0.0.0.0 or ::
    bool is_loopback() const;     // 127.0.0.0/8 or ::1

    // The first `prefix` bits, the rest zero, or one with last_in().
    IpAddr first_in(unsigned prefix) const;
    IpAddr last_in(unsigned prefix) const;

    // The neighbour; wraps around at the ends of the family's space.
    IpAddr next() const;
    IpAddr previous() const;

    // IPv4 before IPv6, then by value.
    // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes a comparison's 0 for a pointer
    friend auto operator<=>(const IpAddr &, const IpAddr &) = default;

private:
    Family family_ = Family::kIpv4;
    std::array<std::uint8_t, 16> bytes_{};  // unused bytes stay zero
};

// An address with a prefix length; the host bits may be set (10.88.0.5/16).
struct Cidr {
    IpAddr addr;
    unsigned prefix = 0;

    // "10.0.0.1/24". Errors as nullopt: no slash, a bad address, a prefix beyond the width, an
    // IPv4-mapped address: it is read as IPv4, but its prefix counts bits of IPv6.
    static std::optional<Cidr> parse(std::string_view text);

    std::string to_string() const;
    IpAddr network() const { return addr.first_in(prefix); }
    bool contains(const IpAddr &ip) const
    {
        return ip.family() == addr.family() && ip.first_in(prefix) == network();
    }

    friend bool operator==(const Cidr &, const Cidr &) = default;
};

}  // namespace tortie
