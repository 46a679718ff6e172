// SPDX-License-Identifier: Apache-2.0
#include "sys/nft_compat.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <netinet/in.h>

#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace tortie::nft {
namespace {

// The beginning of xt_sctp_info, whose header C++ cannot read.
struct SctpPorts {
    std::uint16_t dpts[2];
};

using Bytes = std::span<const std::uint8_t>;

// One expression: its name, and the attributes of its kind.
struct Expression {
    std::string_view name;
    NetlinkAttrs attrs;
};

std::optional<Expression> take(NetlinkAttrs &expressions)
{
    const auto next = expressions.next();
    if (!next)
        return std::nullopt;
    const auto name = next->nested().find(NFTA_EXPR_NAME);
    const auto data = next->nested().find(NFTA_EXPR_DATA);
    return Expression{.name = name ? name->string() : std::string_view(),
                      .attrs = data ? data->nested() : NetlinkAttrs()};
}

std::uint32_t number_in(const NetlinkAttrs &attrs, std::uint16_t type)
{
    const auto found = attrs.find(type);
    return found ? found->u32_be() : 0;
}

Bytes bytes_in(const NetlinkAttrs &attrs, std::uint16_t type)
{
    const auto found = attrs.find(type);
    return found ? found->payload : Bytes();
}

// Zeros when there are too few bytes: then a rule is not the one that it must be.
template <class Info>
Info info_in(Bytes bytes)
{
    Info info{};
    if (bytes.size() >= sizeof(info))
        std::memcpy(&info, bytes.data(), sizeof(info));
    return info;
}

IpAddr address_in(Family family, const void *bytes)
{
    return IpAddr::from_bytes({static_cast<const std::uint8_t *>(bytes), width_bits(family) / 8});
}

// Collects a rule's conditions one expression at a time.
class Reader {
public:
    explicit Reader(Family family) : family_(family) {}

    // False for what a rule of this kind does not have.
    bool read(const Expression &expression);

    std::optional<PortTranslation> translation() const;

private:
    enum class Loaded { kNothing, kProtocol, kDestination, kPort };

    Loaded field_at(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes) const;
    bool load(Loaded what);
    bool compare(const NetlinkAttrs &attrs);
    bool match(const NetlinkAttrs &attrs);
    bool target(const NetlinkAttrs &attrs);
    bool target_of_range(Bytes info);
    bool set_port(const std::uint16_t (&range)[2]);

    Family family_;
    Loaded loaded_ = Loaded::kNothing;
    PortTranslation seen_;
};

bool Reader::read(const Expression &expression)
{
    const NetlinkAttrs &attrs = expression.attrs;
    if (expression.name == "counter")
        return true;
    if (expression.name == "meta")
        return load(number_in(attrs, NFTA_META_KEY) == NFT_META_L4PROTO ? Loaded::kProtocol
                                                                        : Loaded::kNothing);
    if (expression.name == "payload")
        return load(field_at(number_in(attrs, NFTA_PAYLOAD_BASE),
                             number_in(attrs, NFTA_PAYLOAD_OFFSET),
                             number_in(attrs, NFTA_PAYLOAD_LEN)));
    if (expression.name == "cmp")
        return compare(attrs);
    if (expression.name == "match")
        return match(attrs);
    return expression.name == "target" && target(attrs);
}

Reader::Loaded Reader::field_at(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes) const
{
    constexpr std::uint32_t kDportOff = 2;
    const bool ipv4 = family_ == Family::kIpv4;
    const std::uint32_t protocol_off = ipv4 ? 9 : 6;
    const std::uint32_t destination_off = ipv4 ? 16 : 24;
    if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset == kDportOff && bytes == 2)
        return Loaded::kPort;
    if (base != NFT_PAYLOAD_NETWORK_HEADER)
        return Loaded::kNothing;
    if (offset == protocol_off && bytes == 1)
        return Loaded::kProtocol;
    if (offset == destination_off && bytes == width_bits(family_) / 8)
        return Loaded::kDestination;
    return Loaded::kNothing;
}

bool Reader::load(Loaded what)
{
    loaded_ = what;
    return what != Loaded::kNothing;
}

bool Reader::compare(const NetlinkAttrs &attrs)
{
    const auto data = attrs.find(NFTA_CMP_DATA);
    const Bytes value = data ? bytes_in(data->nested(), NFTA_DATA_VALUE) : Bytes();
    if (number_in(attrs, NFTA_CMP_OP) != NFT_CMP_EQ)
        return false;
    const Loaded what = std::exchange(loaded_, Loaded::kNothing);
    if (what == Loaded::kProtocol && value.size() == 1)
        seen_.ip_protocol = value[0];
    else if (what == Loaded::kPort && value.size() == 2)
        seen_.port = static_cast<std::uint16_t>(value[0] << 8 | value[1]);
    else if (what == Loaded::kDestination && value.size() == width_bits(family_) / 8)
        seen_.destination = IpAddr::from_bytes(value);
    else
        return false;
    return true;
}

bool Reader::set_port(const std::uint16_t (&range)[2])
{
    seen_.port = range[0];
    return range[0] == range[1];
}

bool Reader::match(const NetlinkAttrs &attrs)
{
    const auto name = attrs.find(NFTA_MATCH_NAME);
    const Bytes info = bytes_in(attrs, NFTA_MATCH_INFO);
    if (!name)
        return false;
    if (name->string() == "tcp")
        return set_port(info_in<xt_tcp>(info).dpts);
    if (name->string() == "udp")
        return set_port(info_in<xt_udp>(info).dpts);
    if (name->string() == "sctp")
        return set_port(info_in<SctpPorts>(info).dpts);
    return name->string() == "comment";
}

// Revision 1 (IPv6) and 2; the second one begins as the first.
bool Reader::target_of_range(Bytes info)
{
    const auto range = info_in<nf_nat_range>(info);
    seen_.target = address_in(family_, &range.min_addr);
    seen_.target_port = ntohs(range.min_proto.all);
    return address_in(family_, &range.max_addr) == seen_.target &&
           range.max_proto.all == range.min_proto.all;
}

bool Reader::target(const NetlinkAttrs &attrs)
{
    const auto name = attrs.find(NFTA_TARGET_NAME);
    const Bytes info = bytes_in(attrs, NFTA_TARGET_INFO);
    if (!name || name->string() != "DNAT")
        return false;
    if (number_in(attrs, NFTA_TARGET_REV) != 0)
        return target_of_range(info);
    const auto old = info_in<nf_nat_ipv4_multi_range_compat>(info);
    seen_.target = address_in(Family::kIpv4, &old.range[0].min_ip);
    seen_.target_port = ntohs(old.range[0].min.all);
    return old.rangesize == 1 && old.range[0].min_ip == old.range[0].max_ip &&
           old.range[0].min.all == old.range[0].max.all;
}

std::optional<PortTranslation> Reader::translation() const
{
    if (seen_.ip_protocol == 0 || seen_.port == 0 || seen_.target_port == 0)
        return std::nullopt;
    return seen_;
}

}  // namespace

std::optional<PortTranslation> read_port_translation(NetlinkAttrs expressions, Family family)
{
    Reader reader(family);
    while (const auto expression = take(expressions)) {
        if (!reader.read(*expression))
            return std::nullopt;
    }
    return reader.translation();
}

std::string read_match_comment(NetlinkAttrs expressions)
{
    while (const auto expression = take(expressions)) {
        const auto name = expression->attrs.find(NFTA_MATCH_NAME);
        const auto info = expression->attrs.find(NFTA_MATCH_INFO);
        if (expression->name == "match" && name && info && name->string() == "comment")
            return std::string(info->string());
    }
    return {};
}

}  // namespace tortie::nft
