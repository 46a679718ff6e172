// SPDX-License-Identifier: Apache-2.0
#include "datapath/handover.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "datapath/nftables_layout.h"
#include "datapath/port_board.h"
#include "datapath/port_claim.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {
namespace {

using Claims = std::vector<ClaimSite>;

// The claims of each owner, owners with the oldest claim first.
std::vector<Claims> by_owner(Claims claims)
{
    std::stable_sort(claims.begin(), claims.end(), [](const ClaimSite &a, const ClaimSite &b) {
        return a.claim.rank < b.claim.rank;
    });
    std::vector<Claims> owners;
    std::map<std::string, std::size_t> index;
    for (ClaimSite &site : claims) {
        const auto [known, is_new] = index.try_emplace(site.claim.owner.key, owners.size());
        if (is_new)
            owners.emplace_back();
        owners[known->second].push_back(std::move(site));
    }
    return owners;
}

// Names in comments may be cut: the keys tell whose they are.
std::optional<Attachment> attachment_of(const ClaimOwner &owner,
                                        const std::vector<Attachment> &known)
{
    const auto is_owner = [&](const Attachment &attachment) {
        const ClaimOwner other = ClaimOwner::of(attachment);
        return other.key == owner.key && other.network_key == owner.network_key;
    };
    Attachment named{owner.network, owner.container_id, owner.ifname};
    if (is_owner(named))
        return named;
    const auto found = std::find_if(known.begin(), known.end(), is_owner);
    return found == known.end() ? std::nullopt : std::optional(*found);
}

Cidr address_of(const PortClaim &claim)
{
    const unsigned whole = claim.family() == Family::kIpv4 ? 32 : 128;
    const bool has_prefix = claim.sources.kind == MasqueradedSources::Kind::kSubnet;
    Cidr cidr;
    cidr.addr = claim.target;
    cidr.prefix = static_cast<decltype(cidr.prefix)>(has_prefix ? claim.sources.prefix : whole);
    return cidr;
}

void add_address(Publication &publication, const PortClaim &claim)
{
    const bool there =
        std::any_of(publication.addresses.begin(), publication.addresses.end(),
                    [&](const Cidr &cidr) { return cidr.addr.family() == claim.family(); });
    if (!there)
        publication.addresses.push_back(address_of(claim));
}

// A port of every address is one claim a family and one mapping.
void add_mapping(Publication &publication, const PortClaim &claim)
{
    PortMapping mapping;
    mapping.host_port = claim.host_port;
    mapping.container_port = claim.target_port;
    mapping.protocol = claim.protocol;
    mapping.protocol_text = name_of(claim.protocol);
    mapping.host_ip = claim.host_ip;
    const bool there = std::any_of(
        publication.mappings.begin(), publication.mappings.end(), [&](const PortMapping &other) {
            return other.host_port == mapping.host_port && other.protocol == mapping.protocol &&
                   other.container_port == mapping.container_port &&
                   other.host_ip == mapping.host_ip;
        });
    if (!there)
        publication.mappings.push_back(std::move(mapping));
}

Publication publication_of(Attachment attachment, const Claims &claims)
{
    Publication publication;
    publication.attachment = std::move(attachment);
    const MasqueradedSources::Kind kind = claims.front().claim.sources.kind;
    publication.policy.snat = kind != MasqueradedSources::Kind::kNone;
    publication.policy.masq_all = kind == MasqueradedSources::Kind::kEvery;
    for (const ClaimSite &site : claims) {
        add_address(publication, site.claim);
        add_mapping(publication, site.claim);
    }
    return publication;
}

// Why the claims of one owner stay; empty when they need not.
std::string why_kept(const Claims &claims, const std::optional<Attachment> &attachment)
{
    if (claims.front().claim.owner.key.empty())
        return "not written by us";
    if (!attachment)
        return "its container's whole name is not known";
    // Names of spaces tell that there are conditions; the words stand in the entry rule alone.
    const bool has_conditions = std::any_of(
        claims.begin(), claims.end(),
        [](const ClaimSite &site) { return site.space.suffix.find('_') != std::string::npos; });
    return has_conditions ? "it has conditions in nft's words" : "";
}

Result<Claims> all_claims(nft::NfTables &tables)
{
    auto claims = scan_claims(tables, [](const ClaimOwner &) { return true; });
    if (!claims && (claims.error().kind() == ErrorKind::kNotFound ||
                    claims.error().kind() == ErrorKind::kUnsupported))
        return Claims();
    return claims;
}

// Empty where there are no nf_tables at all.
Result<Claims> claims_on_node()
{
    auto tables = nft::NfTables::open();
    if (!tables && tables.error().kind() == ErrorKind::kUnsupported)
        return Claims();
    if (!tables)
        return fail(std::move(tables).error());
    return nft::until_undisturbed([&] { return all_claims(*tables); });
}

}  // namespace

Result<Handover> hand_over_host_ports(PortMapper &nftables, PortMapper &iptables,
                                      const std::vector<Attachment> &known)
{
    TORTIE_TRY(Claims claims, claims_on_node());
    Handover handover;
    for (const Claims &owned : by_owner(std::move(claims))) {
        std::optional<Attachment> attachment = attachment_of(owned.front().claim.owner, known);
        const std::string why = why_kept(owned, attachment);
        if (!why.empty()) {
            for (const ClaimSite &site : owned)
                handover.kept.push_back(site.claim.to_string()
                                            .append(" of ")
                                            .append(site.claim.owner.to_string())
                                            .append(": ")
                                            .append(why));
            continue;
        }
        const Publication publication = publication_of(*std::move(attachment), owned);
        TORTIE_DO(iptables.publish(publication));
        TORTIE_DO(nftables.withdraw(publication));
        handover.ports += publication.mappings.size();
    }
    return handover;
}

Result<> remove_tortie_table()
{
    auto tables = nft::NfTables::open();
    if (!tables && tables.error().kind() == ErrorKind::kUnsupported)
        return {};
    if (!tables)
        return fail(std::move(tables).error());
    nft::Batch batch(tortie_table());
    batch.delete_table();
    auto removed = tables->commit(std::move(batch));
    if (!removed && (removed.error().kind() == ErrorKind::kNotFound ||
                     removed.error().kind() == ErrorKind::kUnsupported))
        return {};
    return removed;
}

Result<std::vector<std::string>> list_host_ports()
{
    TORTIE_TRY(const Claims claims, claims_on_node());
    std::vector<std::string> lines;
    lines.reserve(claims.size());
    for (const ClaimSite &site : claims) {
        const PortClaim &claim = site.claim;
        std::string line = claim.to_string() + " -> ";
        line.append(claim.target.to_string()).append(" ").append(std::to_string(claim.target_port));
        line.append(" of ").append(claim.owner.to_string());
        line.append(claim.active ? "" : " (waits: another container has it)");
        lines.push_back(std::move(line));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

}  // namespace tortie
