// SPDX-License-Identifier: Apache-2.0
#include "datapath/nftables_elements.h"

#include <array>
#include <span>
#include <utility>

#include "base/sha512.h"
#include "base/strings.h"

namespace tortie {
namespace {

using nft::Fields;

constexpr std::size_t kSuffixHashDigits = 8;

std::size_t address_bytes(Family family)
{
    return width_bits(family) / 8;
}

std::string sources_set(const PortSpace &space, bool one_address, unsigned prefix)
{
    return (one_address ? "masq_addrs" : "masq_ports") + space.suffix + "_" +
           std::to_string(prefix);
}

IpAddr any_address(Family family)
{
    const std::array<std::uint8_t, 16> zeros{};
    return IpAddr::from_bytes(std::span(zeros).first(address_bytes(family)));
}

Fields port_key(const PortClaim &claim)
{
    return Fields().add_proto(static_cast<std::uint8_t>(claim.protocol)).add_port(claim.host_port);
}

Fields address_key(const IpAddr &address, const PortClaim &claim)
{
    return Fields()
        .add(address)
        .add_proto(static_cast<std::uint8_t>(claim.protocol))
        .add_port(claim.host_port);
}

}  // namespace

PortSpace PortSpace::of(Family family, const std::vector<std::string> &condition_words)
{
    PortSpace space{.family = family,
                    .conditions = join(condition_words, " "),
                    .suffix = family == Family::kIpv4 ? "4" : "6"};
    if (space.has_conditions())
        space.suffix += "_" + sha512_hex(space.conditions, kSuffixHashDigits);
    return space;
}

std::string map_of(const PortSpace &space, const PortClaim &claim)
{
    if (!claim.active)
        return space.waiting();
    return claim.host_ip ? space.addrs() : space.ports();
}

nft::Element element_of(const PortClaim &claim)
{
    nft::Element element;
    if (!claim.active)
        element.key = address_key(claim.host_ip.value_or(any_address(claim.family())), claim)
                          .add_mark(claim.rank);
    else
        element.key = claim.host_ip ? address_key(*claim.host_ip, claim) : port_key(claim);
    element.data.add(claim.target).add_port(claim.target_port);
    element.comment = claim_comment(claim);
    return element;
}

std::vector<SourceElement> source_elements_of(const PortSpace &space, const PortClaim &claim)
{
    std::vector<SourceElement> out;
    for (const Cidr &network : claim.sources.networks(claim.target)) {
        SourceElement source{.set = sources_set(space, claim.host_ip.has_value(), network.prefix),
                             .element = {},
                             .prefix = network.prefix,
                             .one_address = claim.host_ip.has_value()};
        source.element.key.add(network.addr);
        if (claim.host_ip)
            source.element.key.add(*claim.host_ip);
        source.element.key.add_proto(static_cast<std::uint8_t>(claim.protocol))
            .add_port(claim.host_port);
        source.element.comment = claim_comment(claim);
        out.push_back(std::move(source));
    }
    return out;
}

PortClaim claim_in(const nft::Element &element, std::string_view map, Family family)
{
    const std::size_t address = address_bytes(family);
    const bool has_address = !map.starts_with("ports");
    const std::size_t proto_off = has_address ? address : 0;
    PortClaim claim;
    claim.protocol = static_cast<Protocol>(element.key.proto(proto_off));
    claim.host_port = element.key.port(proto_off + 4);
    if (has_address)
        claim.host_ip = element.key.address(family, 0);
    if (claim.host_ip && claim.host_ip->is_unspecified())
        claim.host_ip.reset();
    claim.target = element.data.address(family, 0);
    claim.target_port = element.data.port(address);
    claim.active = !map.starts_with("waiting");
    if (auto note = parse_claim_comment(element.comment)) {
        claim.owner = std::move(note->owner);
        claim.rank = note->rank;
        claim.sources = note->sources;
    }
    return claim;
}

Fields published_key(const ClaimOwner &owner)
{
    constexpr std::size_t kDigits = 8;  // of 32 bits
    Fields key;
    for (std::size_t at = 0; at + kDigits <= owner.key.size(); at += kDigits) {
        std::uint32_t word = 0;
        for (const char c : owner.key.substr(at, kDigits))
            word = word << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
        key.add_mark(word);
    }
    return key;
}

nft::Element published_element(const ClaimOwner &owner, std::uint32_t claims)
{
    nft::Element element;
    element.key = published_key(owner);
    element.data.add_mark(claims);
    element.comment = owner_comment(owner);
    return element;
}

std::optional<ClaimMap> claim_map_of(const std::string &set)
{
    for (const std::string_view base : {"ports", "addrs", "waiting"}) {
        if (!set.starts_with(base) || set.size() == base.size())
            continue;
        const std::string suffix = set.substr(base.size());
        if (suffix[0] != '4' && suffix[0] != '6')
            continue;
        return ClaimMap{.space = {.family = suffix[0] == '4' ? Family::kIpv4 : Family::kIpv6,
                                  .conditions = {},
                                  .suffix = suffix},
                        .map = set};
    }
    return std::nullopt;
}

}  // namespace tortie
