// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_claim.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/sha512.h"
#include "base/strings.h"

namespace tortie {
namespace {

constexpr std::size_t kOwnerKeyDigits = 24;
constexpr std::size_t kNetworkKeyDigits = 8;
constexpr std::size_t kMaxNamesBytes =
    127 - (1 + kOwnerKeyDigits + kNetworkKeyDigits) - (1 + 8) /* rank */ - (1 + 9) /* snat=/128 */;

constexpr std::string_view kNoSources = "snat=no";
constexpr std::string_view kEverySource = "snat=all";
constexpr std::string_view kSubnetSources = "snat=/";

// Interface names may hold anything; nft ends a comment at a quote, and we a word at a blank.
std::string shown(std::string_view name)
{
    std::string out(name);
    for (char &c : out) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-' || c == '@';
        if (!plain)
            c = '?';
    }
    return out;
}

std::string to_hex(std::uint32_t number)
{
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return {digits.data(), end};
}

std::optional<std::uint32_t> from_hex(std::string_view text)
{
    std::uint32_t number = 0;
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, 16);
    if (error != std::errc() || stop != end)
        return std::nullopt;
    return number;
}

bool is_hex(std::string_view text)
{
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string to_word(const MasqueradedSources &sources)
{
    switch (sources.kind) {
    case MasqueradedSources::Kind::kNone:
        break;
    case MasqueradedSources::Kind::kEvery:
        return std::string(kEverySource);
    case MasqueradedSources::Kind::kSubnet:
        return std::string(kSubnetSources) + std::to_string(sources.prefix);
    }
    return std::string(kNoSources);
}

std::optional<MasqueradedSources> parse_sources(std::string_view word)
{
    if (word == kNoSources)
        return MasqueradedSources{};
    if (word == kEverySource)
        return MasqueradedSources{.kind = MasqueradedSources::Kind::kEvery};
    if (!word.starts_with(kSubnetSources))
        return std::nullopt;
    const auto prefix = parse_number<unsigned>(word.substr(kSubnetSources.size()));
    if (!prefix || *prefix > 128)
        return std::nullopt;
    return MasqueradedSources{.kind = MasqueradedSources::Kind::kSubnet, .prefix = *prefix};
}

MasqueradedSources sources_of(const PortPolicy &policy, const Cidr &address)
{
    if (!policy.snat)
        return {};
    if (policy.masq_all)
        return {.kind = MasqueradedSources::Kind::kEvery};
    return {.kind = MasqueradedSources::Kind::kSubnet, .prefix = address.prefix};
}

PortClaim claim_of(const PortMapping &mapping, const Cidr &address, const PortPolicy &policy)
{
    PortClaim claim{.protocol = mapping.protocol,
                    .host_port = mapping.host_port,
                    .host_ip = mapping.host_ip,
                    .target = address.addr,
                    .target_port = mapping.container_port,
                    .sources = sources_of(policy, address),
                    .owner = {}};
    if (claim.host_ip && claim.host_ip->is_unspecified())
        claim.host_ip.reset();
    return claim;
}

// Notes what is claimed; false when it or the same port of every address was claimed before.
bool is_new(std::set<std::string> &claimed, const PortClaim &claim)
{
    PortClaim everywhere = claim;
    everywhere.host_ip.reset();
    const auto key = [](const PortClaim &one) {
        return (one.family() == Family::kIpv4 ? "4 " : "6 ") + one.to_string();
    };
    return !claimed.contains(key(everywhere)) && claimed.insert(key(claim)).second;
}

bool older(const PortClaim &a, const PortClaim &b)
{
    return a.rank < b.rank;
}

}  // namespace

std::vector<Cidr> MasqueradedSources::networks(const IpAddr &target) const
{
    if (kind == Kind::kNone)
        return {};
    if (kind == Kind::kEvery)
        return {Cidr{.addr = target.first_in(0), .prefix = 0}};
    std::vector<Cidr> out{Cidr{.addr = target.first_in(prefix), .prefix = prefix}};
    if (target.family() == Family::kIpv4) {
        const Cidr loopback = *Cidr::parse("127.0.0.0/8");
        if (out[0] != loopback)
            out.push_back(loopback);
    }
    return out;
}

ClaimOwner ClaimOwner::of(const Attachment &attachment)
{
    // A zero byte stands in no name, so the pair has one spelling.
    std::string identity = attachment.container_id;
    identity += '\0';
    identity += attachment.ifname;
    return {.network = shown(attachment.network),
            .container_id = shown(attachment.container_id),
            .ifname = shown(attachment.ifname),
            .key = sha512_hex(identity, kOwnerKeyDigits),
            .network_key = sha512_hex(attachment.network, kNetworkKeyDigits)};
}

std::string ClaimOwner::to_string() const
{
    return network + " " + container_id + " " + ifname;
}

PublishedPort PortClaim::published() const
{
    return {.protocol = protocol,
            .host_ip = host_ip,
            .host_port = host_port,
            .target = target,
            .target_port = target_port};
}

std::string PortClaim::to_string() const
{
    std::string out;
    if (host_ip && family() == Family::kIpv4)
        out = host_ip->to_string() + ":";
    else if (host_ip)
        out = "[" + host_ip->to_string() + "]:";
    out += std::to_string(host_port) + "/";
    out += name_of(protocol);
    return out;
}

bool PortClaim::same_as(const PortClaim &other) const
{
    return published() == other.published() && sources == other.sources && owner == other.owner;
}

bool PortClaim::same_port(const PortClaim &other) const
{
    return family() == other.family() && protocol == other.protocol && host_port == other.host_port;
}

bool PortClaim::covers(const PortClaim &other) const
{
    return same_port(other) && (!host_ip || host_ip == other.host_ip);
}

std::vector<PortClaim> claims_of(const Publication &publication)
{
    const ClaimOwner owner = ClaimOwner::of(publication.attachment);
    std::vector<PortClaim> claims;
    std::set<std::string> claimed;
    for (const Cidr &address : publication.addresses) {
        for (const PortMapping &mapping : publication.mappings) {
            PortClaim claim = claim_of(mapping, address, publication.policy);
            if (mapping.host_ip && mapping.host_ip->family() != claim.family())
                continue;
            claim.owner = owner;
            if (is_new(claimed, claim))
                claims.push_back(std::move(claim));
        }
    }
    return claims;
}

std::vector<PublishedPort> ports_of(const Publication &publication)
{
    std::vector<PublishedPort> ports;
    for (const PortClaim &claim : claims_of(publication))
        ports.push_back(claim.published());
    return ports;
}

void decide_active(std::vector<PortClaim> &claims)
{
    std::stable_sort(claims.begin(), claims.end(), older);
    for (auto claim = claims.begin(); claim != claims.end(); ++claim) {
        if (claim->active)
            continue;
        // Sorted by age: whoever comes before is older. A younger one that holds the very same
        // packets stays, too.
        const bool taken = std::any_of(claims.begin(), claims.end(), [&](const PortClaim &other) {
            const bool is_older = &other < &*claim && older(other, *claim);
            const bool holds_the_same = other.active && other.host_ip == claim->host_ip;
            return &other != &*claim && (is_older || holds_the_same) && other.covers(*claim);
        });
        claim->active = !taken;
    }
}

std::string owner_comment(const ClaimOwner &owner)
{
    std::string network = owner.network;
    std::string id = owner.container_id;
    const std::size_t room = kMaxNamesBytes - 2 - std::min<std::size_t>(owner.ifname.size(), 15);
    while (network.size() + id.size() > room)
        (network.size() > id.size() ? network : id).pop_back();
    return network + " " + id + " " + owner.ifname.substr(0, 15) + " " + owner.key +
           owner.network_key;
}

std::string claim_comment(const PortClaim &claim)
{
    return owner_comment(claim.owner) + " " + to_hex(claim.rank) + " " + to_word(claim.sources);
}

std::optional<ClaimNote> parse_claim_comment(std::string_view comment)
{
    const std::vector<std::string_view> parts = split(comment, ' ');
    if (parts.size() != 6)
        return std::nullopt;
    const auto rank = from_hex(parts[4]);
    const auto sources = parse_sources(parts[5]);
    if (parts[3].size() != kOwnerKeyDigits + kNetworkKeyDigits || !is_hex(parts[3]) || !rank ||
        !sources)
        return std::nullopt;
    ClaimNote note;
    note.owner = {.network = std::string(parts[0]),
                  .container_id = std::string(parts[1]),
                  .ifname = std::string(parts[2]),
                  .key = std::string(parts[3].substr(0, kOwnerKeyDigits)),
                  .network_key = std::string(parts[3].substr(kOwnerKeyDigits))};
    note.rank = *rank;
    note.sources = *sources;
    return note;
}

}  // namespace tortie
