// SPDX-License-Identifier: Apache-2.0
//
// How claims are written as elements of the maps and sets of table `inet tortie`, and read again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "datapath/port_claim.h"
#include "sys/nf_tables.h"

namespace tortie {

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

}  // namespace tortie
