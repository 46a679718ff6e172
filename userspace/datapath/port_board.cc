// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_board.h"

#include "datapath/nftables_layout.h"

namespace tortie {

// The elements that may hold the claim's packets: that of its address, and that of every address.
void PortBoard::want(std::vector<Place> &places, const PortSpace &space, PortClaim claim)
{
    claim.active = true;
    const auto add = [&] {
        Place place{.space = space, .map = map_of(space, claim), .key = element_of(claim).key};
        if (asked_.emplace(place.map, place.key).second)
            places.push_back(std::move(place));
    };
    if (claim.host_ip) {
        add();
        claim.host_ip.reset();
    }
    add();
}

Result<> PortBoard::fetch(nft::NfTables &tables, const std::vector<Place> &places)
{
    std::vector<nft::NfTables::Question> questions;
    questions.reserve(places.size());
    for (const Place &place : places)
        questions.push_back({.set = place.map, .key = &place.key});
    TORTIE_TRY(const auto answers, tables.find(tortie_table(), questions));
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (!answers[i])
            continue;
        ClaimSite site{.space = places[i].space,
                       .claim = claim_in(*answers[i], places[i].map, places[i].space.family)};
        ports_.at(key_of(site)).claims.push_back(std::move(site.claim));
    }
    return {};
}

Result<> PortBoard::load_waiting(nft::NfTables &tables, const PortSpace &space)
{
    if (waiting_.contains(space.suffix))
        return {};
    const std::string map = space.waiting();
    TORTIE_TRY(const auto elements,
               tables.select(tortie_table(), map, [](const nft::Element &) { return true; }));
    std::vector<PortClaim> &claims = waiting_[space.suffix];
    for (const nft::Element &element : elements)
        claims.push_back(claim_in(element, map, space.family));
    return {};
}

Result<> PortBoard::look_at(nft::NfTables &tables, const std::vector<ClaimSite> &sites)
{
    std::vector<Place> places;
    std::vector<Key> fresh;
    for (const ClaimSite &site : sites) {
        want(places, site.space, site.claim);
        if (ports_.try_emplace(key_of(site), Port{.space = site.space, .claims = {}}).second)
            fresh.push_back(key_of(site));
        TORTIE_DO(load_waiting(tables, site.space));
    }
    for (const Key &key : fresh) {
        Port &port = ports_.at(key);
        for (const PortClaim &claim : waiting_.at(port.space.suffix)) {
            if (key_of({.space = port.space, .claim = claim}) != key)
                continue;
            port.claims.push_back(claim);
            want(places, port.space, claim);
        }
    }
    return fetch(tables, places);
}

std::vector<ClaimSite> PortBoard::claims_of_owner(const ClaimOwner &owner) const
{
    std::vector<ClaimSite> out;
    for (const auto &[key, port] : ports_) {
        for (const PortClaim &claim : port.claims) {
            if (claim.owner == owner)
                out.push_back({.space = port.space, .claim = claim});
        }
    }
    return out;
}

Result<std::vector<ClaimSite>> scan_claims(nft::NfTables &tables,
                                           const std::function<bool(const ClaimOwner &)> &wanted)
{
    std::vector<ClaimSite> out;
    TORTIE_TRY(const auto sets, tables.sets(tortie_table()));
    for (const std::string &set : sets) {
        const auto map = claim_map_of(set);
        if (!map)
            continue;
        const auto is_wanted = [&](const nft::Element &element) {
            const auto note = parse_claim_comment(element.comment);
            return note && wanted(note->owner);
        };
        TORTIE_TRY(const auto elements, tables.select(tortie_table(), set, is_wanted));
        for (const nft::Element &element : elements)
            out.push_back(
                {.space = map->space, .claim = claim_in(element, set, map->space.family)});
    }
    return out;
}

}  // namespace tortie
