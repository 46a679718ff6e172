// SPDX-License-Identifier: Apache-2.0
#include "ipam/release_aftercare.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "ipam/affinity.h"
#include "ipam/pools.h"
#include "ipam/selector.h"

namespace tortie::ipam {
namespace {

// The released ordinals of which only an empty record is left.
std::vector<OrdinalRelease> pruned_of(const store::Block &block, const Ordinals &ordinals)
{
    std::vector<OrdinalRelease> pruned;
    for (const std::uint32_t ordinal : ordinals) {
        const store::Attribute *record = record_of(block, ordinal);
        if (record != nullptr && *record == store::Attribute{})
            pruned.push_back({ordinal, "", std::nullopt});
    }
    return pruned;
}

void give_up_if_deselected(store::Store &store, const UsablePool &pool, const Cidr &block,
                           const std::string &host, Deadline deadline)
{
    const auto node = store::get<store::Node>(store, store::NodeKey{host}, deadline);
    if (!node)
        return;
    const auto selected = selects_node(pool, node->document.labels);
    if (!selected || *selected)
        return;
    const auto gone = release_affinity(store, host, block, {}, deadline);
    if (!gone)
        log::debug("block of a pool that left its node stays",
                   {{"block", block.to_string()}, {"error", gone.error().what()}});
}

}  // namespace

void free_pruned(store::Store &store, const CoolingBlocks &blocks, Deadline deadline)
{
    for (const auto &[cidr, ordinals] : blocks) {
        auto held = store::get<store::Block>(store, store::BlockKey{cidr}, deadline);
        if (!held)
            continue;
        const auto pruned = pruned_of(held->document, ordinals);
        if (pruned.empty() || !release_ordinals(held->document, pruned, {}))
            continue;
        count_write(held->document);
        const store::Write write{store::Op::kUpdate, store::BlockKey{cidr}, held->document,
                                 held->revision, 0};
        const auto done = std::move(store.commit({&write, 1}, deadline).front());
        if (!done)
            log::warn("released addresses could not be freed",
                      {{"block", cidr.to_string()}, {"error", done.error().what()}});
    }
}

void give_up_deselected(store::Store &store, const EmptiedBlocks &blocks,
                        std::optional<store::Found> pools, Deadline deadline)
{
    if (blocks.empty())
        return;
    const store::Query query = store::ListPools{};
    auto held = store::all<store::Pool>(
        pools ? *std::move(pools) : std::move(store.read({&query, 1}, deadline).front()));
    if (!held) {
        log::warn("cannot tell whether pools still select their nodes",
                  {{"error", held.error().what()}});
        return;
    }
    std::vector<store::Pool> documents;
    documents.reserve(held->size());
    for (auto &each : *held)
        documents.push_back(std::move(each.document));
    const std::vector<UsablePool> usable = usable_pools(documents);
    for (const auto &[cidr, host] : blocks) {
        const UsablePool *pool = pool_of(usable, cidr.addr);
        if (pool != nullptr && !selects_all(pool->document->node_selector))
            give_up_if_deselected(store, *pool, cidr, host, deadline);
    }
}

}  // namespace tortie::ipam
