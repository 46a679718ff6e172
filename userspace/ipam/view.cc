// SPDX-License-Identifier: Apache-2.0
#include "ipam/view.h"

#include <algorithm>
#include <utility>

namespace tortie::ipam {
namespace {

// The latest of each family.
std::vector<Cidr> read_ahead(const Hint &hint)
{
    std::vector<Cidr> blocks;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        const auto found = std::find_if(
            hint.roomy.begin(), hint.roomy.end(),
            [&](const Cidr &block) { return block.addr.family() == family && is_block(block); });
        if (found != hint.roomy.end())
            blocks.push_back(*found);
    }
    return blocks;
}

template <class T>
std::vector<T> documents(std::vector<store::Held<T>> held)
{
    std::vector<T> all;
    all.reserve(held.size());
    for (auto &each : held)
        all.push_back(std::move(each.document));
    return all;
}

}  // namespace

std::vector<store::Query> view_queries(const std::string &host, const Hint &hint)
{
    std::vector<store::Query> queries = {store::ListPools{}, store::ListReservations{},
                                         store::ListAffinities{host, store::AffinityType::kHost}};
    for (const Cidr &block : read_ahead(hint))
        queries.emplace_back(store::Key(store::BlockKey{block}));
    return queries;
}

Result<View> view_of(std::span<store::Found> found)
{
    View view;
    TORTIE_TRY(auto pools, store::all<store::Pool>(std::move(found[0])));
    view.pools = documents(std::move(pools));
    TORTIE_TRY(auto reservations, store::all<store::Reservation>(std::move(found[1])));
    view.reservations = Reservations(documents(std::move(reservations)));
    TORTIE_TRY(view.affinities, store::all<store::Affinity>(std::move(found[2])));

    // A block that could not be read ahead is read again when it is wanted.
    for (store::Found &each : found.subspan(3)) {
        auto block = store::one<store::Block>(std::move(each));
        if (!block)
            continue;
        const Cidr cidr = block->document.cidr;
        view.blocks.emplace(cidr, *std::move(block));
    }
    return view;
}

}  // namespace tortie::ipam
