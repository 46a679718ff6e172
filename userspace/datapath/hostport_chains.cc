// SPDX-License-Identifier: Apache-2.0
#include "datapath/hostport_chains.h"

#include <algorithm>
#include <set>
#include <utility>

#include "datapath/iptables_rules.h"
#include "datapath/port_claim.h"
#include "sys/nft_compat.h"

namespace tortie {
namespace {

constexpr std::string_view kDnatPrefix = "CNI-DN-";

NatRule saved_rule(std::string_view text)
{
    const std::string_view jump = option_of(text, "-j");
    return {.comment = unquoted(option_of(text, "--comment")),
            .jump = std::string(jump == "DNAT" ? "" : jump),
            .publishes = published_by(text)};
}

NatRule nft_rule(nft::Rule rule, const NetlinkAttrs &expressions, Family family)
{
    NatRule out{.comment = std::move(rule.comment),
                .jump = std::move(rule.jump),
                .publishes = std::nullopt,
                .handle = rule.handle};
    if (out.comment.empty())
        out.comment = nft::read_match_comment(expressions);
    if (const auto found = nft::read_port_translation(expressions, family))
        out.publishes = PublishedPort{.protocol = static_cast<Protocol>(found->ip_protocol),
                                      .host_ip = found->destination,
                                      .host_port = found->port,
                                      .target = found->target,
                                      .target_port = found->target_port};
    return out;
}

Result<std::optional<std::vector<NatRule>>> read_saved(const SavedNat &saved,
                                                       std::string_view chain)
{
    if (!saved.has_chain(chain))
        return std::optional<std::vector<NatRule>>();
    std::vector<NatRule> rules;
    for (const std::string_view text : saved.rules_of(chain))
        rules.push_back(saved_rule(text));
    return std::optional(std::move(rules));
}

Result<std::optional<std::vector<NatRule>>> read_nft(nft::NfTables &tables, Family family,
                                                     std::string_view chain)
{
    TORTIE_TRY(const bool there, tables.has_chain(nft_nat_table(family), chain));
    if (!there)
        return std::optional<std::vector<NatRule>>();
    std::vector<NatRule> rules;
    TORTIE_DO(tables.visit_rules(
        nft_nat_table(family), chain, [&] { rules.clear(); },
        [&](nft::Rule rule, const NetlinkAttrs &expressions) {
            rules.push_back(nft_rule(std::move(rule), expressions, family));
        }));
    return std::optional(std::move(rules));
}

std::vector<PublishedPort> ports_in(const std::vector<NatRule> &rules)
{
    std::vector<PublishedPort> ports;
    for (const NatRule &rule : rules)
        if (rule.publishes)
            ports.push_back(*rule.publishes);
    return ports;
}

// Everything goes to one of the addresses.
bool lead_to(const std::vector<PublishedPort> &ports, const std::vector<Cidr> &addresses)
{
    return !ports.empty() && std::all_of(ports.begin(), ports.end(), [&](const auto &port) {
        return std::any_of(addresses.begin(), addresses.end(),
                           [&](const Cidr &cidr) { return cidr.addr == port.target; });
    });
}

// The chain of that name, when it exists, as far as it tells by itself.
Result<std::optional<HostportChain>> look_at(const ReadChain &read, std::string name)
{
    TORTIE_TRY(const auto rules, read(name));
    if (!rules)
        return std::optional<HostportChain>();
    return std::optional(
        HostportChain{.name = std::move(name), .ports = ports_in(*rules), .jumps = {}});
}

void note_jumps(HostportChain &chain, std::string_view from, const std::vector<NatRule> &rules)
{
    for (const NatRule &rule : rules)
        if (rule.jump == chain.name)
            chain.jumps.push_back({.from = from, .handle = rule.handle});
}

Result<std::vector<NatRule>> read_top(const ReadChain &read, std::string_view chain)
{
    TORTIE_TRY(auto rules, read(chain));
    return std::move(rules).value_or(std::vector<NatRule>());
}

// Names of the chains that jumps of `top` lead to and `wanted` says yes to, each once.
template <class Wanted>
std::set<std::string> targets_of(const std::vector<NatRule> &top, const Wanted &wanted)
{
    std::set<std::string> names;
    for (const NatRule &rule : top)
        if (rule.jump.starts_with(kDnatPrefix) && wanted(read_jump_comment(rule.comment)))
            names.insert(rule.jump);
    return names;
}

}  // namespace

nft::Table nft_nat_table(Family family)
{
    return {.family = family == Family::kIpv4 ? nft::TableFamily::kIpv4 : nft::TableFamily::kIpv6,
            .name = "nat"};
}

ReadChain chains_in(const SavedNat &saved)
{
    return [&saved](std::string_view chain) { return read_saved(saved, chain); };
}

ReadChain chains_in(nft::NfTables &tables, Family family)
{
    return [&tables, family](std::string_view chain) { return read_nft(tables, family, chain); };
}

Result<std::vector<HostportChain>> chains_of(const ReadChain &read, const Publication &publication)
{
    const Attachment &attachment = publication.attachment;
    const std::string by_name = dnat_chain_of(attachment);
    TORTIE_TRY(const auto top, read_top(read, kTopDnatChain));
    std::vector<HostportChain> chains;

    const auto carries_the_id = [&](const CommentedJump &jump) {
        return jump.complete && jump.container_id == attachment.container_id;
    };
    std::set<std::string> names = targets_of(top, carries_the_id);
    names.insert(by_name);
    for (const std::string &name : names) {
        TORTIE_TRY(auto chain, look_at(read, name));
        if (!chain || (name != by_name && !lead_to(chain->ports, publication.addresses)))
            continue;
        if (chain->ports.empty())  // its rules are in words that nobody here knows
            chain->ports = ports_of(publication);
        note_jumps(*chain, kTopDnatChain, top);
        chains.push_back(*std::move(chain));
    }

    TORTIE_TRY(auto old, look_at(read, old_snat_chain_of(attachment)));
    if (old) {
        TORTIE_TRY(const auto old_top, read_top(read, kTopSnatChain));
        note_jumps(*old, kTopSnatChain, old_top);
        chains.push_back(*std::move(old));
    }
    return chains;
}

Result<std::vector<HostportChain>> garbage_of(const ReadChain &read, const std::string &network,
                                              std::span<const Attachment> valid)
{
    std::set<std::string> kept;
    for (const Attachment &attachment : valid)
        kept.insert(dnat_chain_of({network, attachment.container_id, attachment.ifname}));
    TORTIE_TRY(const auto top, read_top(read, kTopDnatChain));
    const auto of_network = [&](const CommentedJump &jump) { return jump.network == network; };

    std::vector<HostportChain> garbage;
    for (const std::string &name : targets_of(top, of_network)) {
        if (kept.contains(name))
            continue;
        TORTIE_TRY(auto chain, look_at(read, name));
        if (!chain)
            continue;
        note_jumps(*chain, kTopDnatChain, top);
        garbage.push_back(*std::move(chain));
    }
    return garbage;
}

}  // namespace tortie
