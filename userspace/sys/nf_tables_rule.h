// SPDX-License-Identifier: Apache-2.0
//
// The body of a rule: the kernel's expressions, one function each. Registers are those of 32
// bits, counted from 0; an IPv6 address takes four.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/ip_addr.h"
#include "sys/netlink.h"

namespace tortie::nft {

enum class Meta : std::uint8_t { kMark = 3, kIif = 4, kNfproto = 15, kL4proto = 16 };
enum class Base : std::uint8_t { kNetworkHeader = 1, kTransportHeader = 2 };
enum class Compare : std::uint8_t { kEqual = 0, kNotEqual = 1 };

class Expressions {
public:
    explicit Expressions(NetlinkMessage &message) : message_(message) {}

    void load_meta(Meta key, unsigned reg);
    void set_mark(unsigned reg);
    void load_payload(Base base, std::uint32_t offset_bytes, std::uint32_t bytes, unsigned reg);
    void load_ct_status(unsigned reg);
    void load_fib_type_of_daddr(unsigned reg);

    // reg = (reg & mask) ^ flip; both as long as the value.
    void bitwise(unsigned reg, std::span<const std::uint8_t> mask,
                 std::span<const std::uint8_t> flip);
    // The rule ends here unless this holds.
    void compare(unsigned reg, Compare how, std::span<const std::uint8_t> value);
    void lookup(std::string_view set, unsigned key_reg);
    void lookup(std::string_view map, unsigned key_reg, unsigned value_reg);

    void dnat(Family family, unsigned address_reg, unsigned port_reg);
    void masquerade();
    void jump(std::string_view chain);
    void return_from_chain();
    void drop();

    // What nft writes for `meta nfproto ipv4` and for `meta l4proto . th dport`.
    void require_family(Family family);
    void load_protocol_and_dport(unsigned reg);

private:
    void add(std::string_view name, const std::function<void()> &fill);
    void verdict(std::int32_t code, std::string_view chain);
    void put_register(std::uint16_t attr, unsigned reg);
    void put_value(std::uint16_t attr, std::span<const std::uint8_t> value);

    NetlinkMessage &message_;
};

}  // namespace tortie::nft
