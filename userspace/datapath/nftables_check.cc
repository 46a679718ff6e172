// SPDX-License-Identifier: Apache-2.0
#include "datapath/nftables_check.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "datapath/nftables_layout.h"

namespace tortie {
namespace {

Result<> missing(const PortClaim &claim, std::string_view what)
{
    return fail(ErrorKind::kNotFound, claim.to_string() + ": " + std::string(what));
}

Result<> check_claim(const PortBoard &board, const ClaimSite &site)
{
    const auto &claims = board.ports().at(PortBoard::key_of(site)).claims;
    const bool there = std::any_of(claims.begin(), claims.end(), [&](const PortClaim &claim) {
        return claim.same_as(site.claim);
    });
    return there ? Result<>() : missing(site.claim, "not found in the maps of table inet tortie");
}

// The masquerading of the claims that packets follow.
Result<> check_sources(nft::NfTables &tables, const LayoutState &layout,
                       const std::vector<ClaimSite> &claims)
{
    std::vector<SourceElement> sources;
    std::vector<const PortClaim *> whose;
    for (const ClaimSite &site : claims) {
        if (!site.claim.active)
            continue;
        for (SourceElement &source : source_elements_of(site.space, site.claim)) {
            if (!layout.has_sources(site.space, source))
                return missing(site.claim, "the rule for set " + source.set + " is missing");
            sources.push_back(std::move(source));
            whose.push_back(&site.claim);
        }
    }
    std::vector<nft::NfTables::Question> questions;
    questions.reserve(sources.size());
    for (const SourceElement &source : sources)
        questions.push_back({.set = source.set, .key = &source.element.key});
    TORTIE_TRY(const auto answers, tables.find(tortie_table(), questions));
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!answers[i])
            return missing(*whose[i], "not found in set " + sources[i].set);
    }
    return {};
}

Result<> check_layout(const LayoutState &layout, const std::vector<ClaimSite> &sites)
{
    if (!layout.has_base())
        return fail(ErrorKind::kNotFound, "rules of table inet tortie are missing");
    if (!layout.has_guard())
        return fail(ErrorKind::kNotFound, "rules of chain localnet are missing");
    for (const auto &[space, claim] : sites) {
        if (!layout.has_space(space) || !layout.has_entry(space))
            return fail(ErrorKind::kNotFound, "rules of chain " + space.chain() + " are missing");
    }
    return {};
}

}  // namespace

Result<> check_claims(nft::NfTables &tables, const Attachment &attachment,
                      const std::vector<ClaimSite> &sites)
{
    TORTIE_TRY(const LayoutState layout, LayoutState::read(tables));
    TORTIE_DO(check_layout(layout, sites));
    PortBoard board;
    TORTIE_DO(board.look_at(tables, sites));
    for (const ClaimSite &site : sites)
        TORTIE_DO(check_claim(board, site));
    return check_sources(tables, layout, board.claims_of_owner(ClaimOwner::of(attachment)));
}

}  // namespace tortie
