// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_change.h"

#include <algorithm>

namespace tortie {
namespace {

// The rank of an added claim: a repeated ADD keeps its place, a new one comes last. The generation
// alone would do, did a reboot between saving and loading the tables not set it back.
std::uint32_t rank_of(const PortClaim &claim, const std::vector<PortClaim> &gone,
                      const std::vector<PortClaim> &kept, std::uint32_t generation)
{
    for (const PortClaim &old : gone) {
        if (old.owner == claim.owner && old.host_ip == claim.host_ip)
            return old.rank;
    }
    std::uint32_t rank = generation;
    for (const PortClaim &other : kept)
        rank = std::max(rank, other.rank + 1);
    return rank;
}

bool same_place(const PortClaim &a, const PortClaim &b)
{
    return a.owner == b.owner && a.host_ip == b.host_ip && a.rank == b.rank;
}

}  // namespace

PortChange::PortChange(const PortBoard &board, const Goes &goes,
                       const std::vector<ClaimSite> &added, std::uint32_t generation)
{
    std::map<PortBoard::Key, std::vector<PortClaim>> by_port;
    for (const ClaimSite &site : added)
        by_port[PortBoard::key_of(site)].push_back(site.claim);
    for (const auto &[key, port] : board.ports())
        decide(port, goes, by_port[key], generation);
}

void PortChange::decide(const PortBoard::Port &port, const Goes &goes, std::vector<PortClaim> added,
                        std::uint32_t generation)
{
    std::vector<PortClaim> gone;
    std::vector<PortClaim> kept;
    for (const PortClaim &claim : port.claims)
        (goes(claim) ? gone : kept).push_back(claim);

    std::vector<PortClaim> after = kept;
    for (PortClaim &claim : added) {
        claim.rank = rank_of(claim, gone, kept, generation);
        claim.active = false;
        after.push_back(claim);
    }
    decide_active(after);

    for (PortClaim &claim : gone) {
        if (claim.active)
            withdrawn_.push_back(claim.published());
        gone_.push_back({.space = port.space, .claim = std::move(claim)});
    }
    for (const PortClaim &claim : after) {
        const auto before = std::find_if(
            kept.begin(), kept.end(), [&](const PortClaim &old) { return same_place(old, claim); });
        if (before != kept.end() && before->active == claim.active)
            continue;
        if (before != kept.end())
            gone_.push_back({.space = port.space, .claim = *before});
        came_.push_back({.space = port.space, .claim = claim});
        const auto holder = std::find_if(after.begin(), after.end(), [&](const PortClaim &other) {
            return other.active && other.covers(claim);
        });
        if (!claim.active && holder != after.end())
            met_.push_back({.claim = claim, .holder = *holder});
    }
}

std::vector<PublishedPort> PortChange::withdrawn() const
{
    return withdrawn_;
}

Result<> PortChange::find_sources_to_delete(
    nft::NfTables &tables, std::map<std::string, std::set<nft::Fields>> &deleted) const
{
    struct Place {
        SourceElement source;
        const PortClaim *claim;
        bool comes;
    };
    std::vector<Place> places;
    const auto add = [&](const std::vector<ClaimSite> &sites, bool comes) {
        for (const ClaimSite &site : sites) {
            if (!site.claim.active)
                continue;
            for (SourceElement &source : source_elements_of(site.space, site.claim))
                places.push_back(
                    {.source = std::move(source), .claim = &site.claim, .comes = comes});
        }
    };
    add(gone_, false);
    add(came_, true);

    std::vector<nft::NfTables::Question> questions;
    questions.reserve(places.size());
    for (const Place &place : places)
        questions.push_back({.set = place.source.set, .key = &place.source.element.key});
    TORTIE_TRY(const auto answers, tables.find(tortie_table(), questions));
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (!answers[i])
            continue;
        // What is in the place of one that comes belongs to nobody any more: the port is its own.
        const auto note = parse_claim_comment(answers[i]->comment);
        if (places[i].comes || (note && note->owner == places[i].claim->owner))
            deleted[places[i].source.set].insert(places[i].source.element.key);
    }
    return {};
}

Result<> PortChange::write(nft::NfTables &tables, const LayoutState &layout,
                           nft::Batch &batch) const
{
    std::map<std::string, std::set<nft::Fields>> deleted;
    TORTIE_DO(find_sources_to_delete(tables, deleted));
    for (const ClaimSite &site : gone_)
        deleted[map_of(site.space, site.claim)].insert(element_of(site.claim).key);
    for (const auto &[set, keys] : deleted)
        batch.delete_elements(set, std::vector<nft::Fields>(keys.begin(), keys.end()));

    std::map<std::string, std::vector<nft::Element>> elements;
    for (const ClaimSite &site : came_) {
        elements[map_of(site.space, site.claim)].push_back(element_of(site.claim));
        if (!site.claim.active)
            continue;
        for (SourceElement &source : source_elements_of(site.space, site.claim)) {
            if (!elements.contains(source.set) && !layout.has_sources(site.space, source))
                LayoutState::add_sources(batch, site.space, source);
            elements[source.set].push_back(std::move(source.element));
        }
    }
    for (const auto &[set, list] : elements)
        batch.add_elements(set, list);
    return {};
}

}  // namespace tortie
