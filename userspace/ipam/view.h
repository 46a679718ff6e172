// SPDX-License-Identifier: Apache-2.0
//
// What an allocation reads before it knows which block to take from: pools, reservations and the
// blocks this host has. It is data, so that the caller can put the queries into a batch of its
// own and pay no round trip for them:
//
//   std::vector<store::Query> queries = {key of mine, ...};
//   const std::size_t mine = queries.size();
//   append(queries, ipam::view_queries(host, hint));
//   auto found = store.read(queries, deadline);
//   TORTIE_TRY(auto view, ipam::view_of(std::span(found).subspan(mine)));
//
// Nothing of it needs to be fresh: uniqueness rests on the block's compare-and-swap alone.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ipam/block_space.h"
#include "ipam/hint.h"
#include "ipam/reservations.h"
#include "store/store.h"

namespace tortie::ipam {

struct View {
    std::vector<store::Pool> pools;  // by name
    Reservations reservations;
    std::vector<store::Held<store::Affinity>> affinities;  // this host's, both families

    // Blocks the hint named, where they were found.
    std::map<Cidr, store::Held<store::Block>, CidrLess> blocks;
};

// Without a hint three queries; with one, a block of each family more. Read ahead pays when the
// host-wide lock is free; a process that waited for the lock reads its blocks again.
std::vector<store::Query> view_queries(const std::string &host, const Hint &hint = {});

// The answers to view_queries() in their order; they are moved from.
// Errors: those of the store.
Result<View> view_of(std::span<store::Found> found);

}  // namespace tortie::ipam
