// SPDX-License-Identifier: Apache-2.0
#include "sys/nf_tables_rule.h"

#include <linux/rtnetlink.h>

#include <array>
#include <functional>

#include "sys/nf_tables_wire.h"

namespace tortie::nft {

void Expressions::add(std::string_view name, const std::function<void()> &fill)
{
    message_.nest(NFTA_LIST_ELEM, [&] {
        message_.put_string(NFTA_EXPR_NAME, name);
        message_.nest(NFTA_EXPR_DATA, fill);
    });
}

void Expressions::put_register(std::uint16_t attr, unsigned reg)
{
    message_.put_u32_be(attr, NFT_REG32_00 + reg);
}

void Expressions::put_value(std::uint16_t attr, std::span<const std::uint8_t> value)
{
    message_.nest(attr, [&] { message_.put(NFTA_DATA_VALUE, value); });
}

void Expressions::load_meta(Meta key, unsigned reg)
{
    add("meta", [&] {
        message_.put_u32_be(NFTA_META_KEY, static_cast<std::uint32_t>(key));
        put_register(NFTA_META_DREG, reg);
    });
}

void Expressions::set_mark(unsigned reg)
{
    add("meta", [&] {
        message_.put_u32_be(NFTA_META_KEY, NFT_META_MARK);
        put_register(NFTA_META_SREG, reg);
    });
}

void Expressions::load_payload(Base base, std::uint32_t offset_bytes, std::uint32_t bytes,
                               unsigned reg)
{
    add("payload", [&] {
        put_register(NFTA_PAYLOAD_DREG, reg);
        message_.put_u32_be(NFTA_PAYLOAD_BASE, static_cast<std::uint32_t>(base));
        message_.put_u32_be(NFTA_PAYLOAD_OFFSET, offset_bytes);
        message_.put_u32_be(NFTA_PAYLOAD_LEN, bytes);
    });
}

void Expressions::load_ct_status(unsigned reg)
{
    add("ct", [&] {
        message_.put_u32_be(NFTA_CT_KEY, NFT_CT_STATUS);
        put_register(NFTA_CT_DREG, reg);
    });
}

void Expressions::load_fib_type_of_daddr(unsigned reg)
{
    add("fib", [&] {
        put_register(NFTA_FIB_DREG, reg);
        message_.put_u32_be(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        message_.put_u32_be(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
    });
}

void Expressions::bitwise(unsigned reg, std::span<const std::uint8_t> mask,
                          std::span<const std::uint8_t> flip)
{
    add("bitwise", [&] {
        put_register(NFTA_BITWISE_SREG, reg);
        put_register(NFTA_BITWISE_DREG, reg);
        message_.put_u32_be(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
        put_value(NFTA_BITWISE_MASK, mask);
        put_value(NFTA_BITWISE_XOR, flip);
    });
}

void Expressions::compare(unsigned reg, Compare how, std::span<const std::uint8_t> value)
{
    add("cmp", [&] {
        put_register(NFTA_CMP_SREG, reg);
        message_.put_u32_be(NFTA_CMP_OP, static_cast<std::uint32_t>(how));
        put_value(NFTA_CMP_DATA, value);
    });
}

void Expressions::lookup(std::string_view set, unsigned key_reg)
{
    add("lookup", [&] {
        message_.put_string(NFTA_LOOKUP_SET, set);
        put_register(NFTA_LOOKUP_SREG, key_reg);
    });
}

void Expressions::lookup(std::string_view map, unsigned key_reg, unsigned value_reg)
{
    add("lookup", [&] {
        message_.put_string(NFTA_LOOKUP_SET, map);
        put_register(NFTA_LOOKUP_SREG, key_reg);
        put_register(NFTA_LOOKUP_DREG, value_reg);
    });
}

void Expressions::dnat(Family family, unsigned address_reg, unsigned port_reg)
{
    const TableFamily nfproto = family == Family::kIpv4 ? TableFamily::kIpv4 : TableFamily::kIpv6;
    add("nat", [&] {
        message_.put_u32_be(NFTA_NAT_TYPE, NFT_NAT_DNAT);
        message_.put_u32_be(NFTA_NAT_FAMILY, static_cast<std::uint32_t>(nfproto));
        put_register(NFTA_NAT_REG_ADDR_MIN, address_reg);
        put_register(NFTA_NAT_REG_PROTO_MIN, port_reg);
    });
}

void Expressions::masquerade()
{
    add("masq", [] {});
}

void Expressions::verdict(std::int32_t code, std::string_view chain)
{
    const auto put_verdict = [&] {
        message_.put_u32_be(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
        if (!chain.empty())
            message_.put_string(NFTA_VERDICT_CHAIN, chain);
    };
    add("immediate", [&] {
        message_.put_u32_be(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        message_.nest(NFTA_IMMEDIATE_DATA, [&] { message_.nest(NFTA_DATA_VERDICT, put_verdict); });
    });
}

void Expressions::jump(std::string_view chain)
{
    verdict(NFT_JUMP, chain);
}

void Expressions::return_from_chain()
{
    verdict(NFT_RETURN, {});
}

void Expressions::drop()
{
    constexpr std::int32_t kNfDrop = 0;
    verdict(kNfDrop, {});
}

void Expressions::require_family(Family family)
{
    const TableFamily nfproto = family == Family::kIpv4 ? TableFamily::kIpv4 : TableFamily::kIpv6;
    const std::array value{static_cast<std::uint8_t>(nfproto)};
    load_meta(Meta::kNfproto, 0);
    compare(0, Compare::kEqual, value);
}

void Expressions::load_protocol_and_dport(unsigned reg)
{
    load_meta(Meta::kL4proto, reg);
    load_payload(Base::kTransportHeader, 2, 2, reg + 1);
}

}  // namespace tortie::nft
