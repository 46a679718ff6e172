// SPDX-License-Identifier: Apache-2.0
//
// What stands in table `inet tortie`: names, rules, and how claims are written as elements.
//
//   prerouting, output   -> hostports           destinations that are the node's own
//   hostports            -> hostports4, hostports6, and before them one entry rule for each
//                           list of conditions, -> hostports4_<hash>
//   hostports4:  jump from_addrs4 · dnat by map addrs4 · jump from_ports4 · dnat by map ports4
//   from_ports4: one rule for each prefix length in use: mark what set masq_ports4_<length> holds
//   postrouting:         masquerade what was marked
//   localnet:            drop 127.0.0.0/8 that does not come from lo
//
// A rule is found again by its comment; a rule that changes its meaning changes its comment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "datapath/port_claim.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {

nft::Table tortie_table();

// One family under one list of conditions, with maps and chains of its own: what one network's
// conditions let through is never another network's business.
struct PortSpace {
    Family family = Family::kIpv4;
    std::string conditions;  // nft words; empty: none
    std::string suffix;      // "4", "6", "4_<hash of the conditions>"

    static PortSpace of(Family family, const std::vector<std::string> &condition_words);

    std::string ports() const { return "ports" + suffix; }      // proto . port : addr . port
    std::string addrs() const { return "addrs" + suffix; }      // addr . proto . port : ...
    std::string waiting() const { return "waiting" + suffix; }  // addr . proto . port . rank : ...
    std::string chain() const { return "hostports" + suffix; }
    std::string entry_comment() const { return "conditions " + suffix; }
    bool has_conditions() const { return !conditions.empty(); }
};

// attachment -> number of its claims: tells that there is nothing, or that nothing is missing.
constexpr std::string_view kPublishedMap = "published";

// Name of the space's map (ports, addrs or waiting) that holds the claim, and the claim in it.
std::string map_of(const PortSpace &space, const PortClaim &claim);
nft::Element element_of(const PortClaim &claim);

// The set that holds where a claim's sources are masqueraded from, one a network.
struct SourceElement {
    std::string set;
    nft::Element element;
    unsigned prefix = 0;
    bool one_address = false;  // of a claim to one address
};
std::vector<SourceElement> source_elements_of(const PortSpace &space, const PortClaim &claim);

// The claim that an element stands for. Whoever wrote the element: without a comment of ours the
// owner is empty.
PortClaim claim_in(const nft::Element &element, std::string_view map, Family family);

nft::Element published_element(const ClaimOwner &owner, std::uint32_t claims);
nft::Fields published_key(const ClaimOwner &owner);

// Reads a set's name: the space without its conditions; nullopt for sets that hold no claims.
struct ClaimMap {
    PortSpace space;
    std::string map;
};
std::optional<ClaimMap> claim_map_of(const std::string &set);

// The rules that are in the table now, and what of the layout they lack.
class LayoutState {
public:
    explicit LayoutState(std::vector<nft::Rule> rules) : rules_(std::move(rules)) {}
    static Result<LayoutState> read(nft::NfTables &tables);

    // Everything that every claim needs.
    bool has_base() const;
    bool has_space(const PortSpace &space) const;
    bool has_guard() const;
    // The rule that leads into a space with conditions; others have a place in the base.
    bool has_entry(const PortSpace &space) const;
    bool has_sources(const PortSpace &space, const SourceElement &source) const;

    // Bring it about, whatever is there already.
    void add_base(nft::Batch &batch) const;
    void add_space(nft::Batch &batch, const PortSpace &space) const;
    void add_guard(nft::Batch &batch) const;
    static void add_sources(nft::Batch &batch, const PortSpace &space, const SourceElement &source);

private:
    std::vector<nft::Rule> rules_;
};

// What `nft -f -` reads to make the entry rule: the only rule whose words are not ours.
// Errors: kInvalidInput when the words could end the rule or start another.
Result<std::string> entry_script(const PortSpace &space);

}  // namespace tortie
