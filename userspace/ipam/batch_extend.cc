// SPDX-License-Identifier: Apache-2.0
//
// What a batch does when the blocks it knows are used up, or gone.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "ipam/batch.h"
#include "ipam/upgrade_host.h"

namespace tortie::ipam {
namespace {

bool may_use(const Ask &ask, const Cidr &block)
{
    return std::any_of(ask.pools.begin(), ask.pools.end(),
                       [&](const UsablePool &pool) { return covers(pool.cidr, block); });
}

bool is_candidate(const Ask &ask, const Cidr &block)
{
    return std::any_of(ask.candidates.begin(), ask.candidates.end(),
                       [&](const Candidate &candidate) { return candidate.block == block; });
}

std::string exhausted(const std::vector<UsablePool> &pools)
{
    std::string names;
    for (const UsablePool &pool : pools)
        names += (names.empty() ? "" : " ") + pool.cidr.to_string();
    return "No IPs available in pools: [" + names + "]";
}

}  // namespace

void Batch::extend(Order &order, Ask &ask)
{
    if (ask.specific)
        return close(order, {ErrorKind::kTryAgain,
                             "the block of " + ask.specific->to_string() + " cannot be used"});
    switch (ask.next) {
    case Ask::Next::kNewBlock:
        return claim_for(order, ask);
    case Ask::Next::kBorrow:
        return borrow_for(order, ask);
    case Ask::Next::kNothing:
        break;
    }
    if (ask.messages.empty())
        ask.messages.push_back(exhausted(ask.pools));
    order.closed = true;
}

void Batch::claim_for(Order &order, Ask &ask)
{
    store::Store &store = session_.store();
    if (session_.affinities().empty() && !std::exchange(sought_unlabelled_, true)) {
        for (auto &held : adopt_unlabelled(store, session_.host(), session_.deadline())) {
            const Cidr block = held.document.cidr;
            session_.affinities().push_back(std::move(held));
            offer(block);
        }
        if (!session_.affinities().empty())
            return;
    }
    auto claimed = search_.claim(ask, order.request->max_blocks);
    if (!claimed)
        return close(order, claimed.error());
    if (*claimed) {
        remember(**claimed);
        return offer((*claimed)->block.document.cidr);
    }
    const auto config = session_.config();
    if (!config)
        return close(order, config.error());
    ask.next = config->strict_affinity ? Ask::Next::kNothing : Ask::Next::kBorrow;
    if (config->strict_affinity)
        ask.messages.emplace_back("No more free affine blocks and strict affinity enabled");
}

void Batch::borrow_for(Order &order, Ask &ask)
{
    const auto candidates = search_.borrowable(ask.pools);
    if (!candidates)
        return close(order, candidates.error());
    for (const Candidate &candidate : *candidates) {
        if (!is_candidate(ask, candidate.block))
            ask.candidates.push_back(candidate);
    }
    ask.next = Ask::Next::kNothing;
    log::info("no block of this host has room, borrowing from others", {{"host", session_.host()}});
}

void Batch::remember(const AffineBlock &affine)
{
    const Cidr cidr = affine.block.document.cidr;
    session_.forget_affinity(cidr);
    session_.affinities().push_back(affine.affinity);
    session_.blocks().insert_or_assign(cidr, affine.block);
}

void Batch::offer(const Cidr &block)
{
    for (Order &order : orders_) {
        for (Ask &ask : order.asks) {
            if (!order.closed && !ask.specific && may_use(ask, block) && !is_candidate(ask, block))
                ask.candidates.push_back({block, true});
        }
    }
}

// An affinity of ours without a block, or the specific address of a block that nobody made.
void Batch::make_missing(const Cidr &cidr)
{
    bool wanted = false;
    for (const Order &order : orders_) {
        for (const Ask &ask : order.asks) {
            const bool affine = std::find(ask.candidates.begin(), ask.candidates.end(),
                                          Candidate{cidr, true}) != ask.candidates.end();
            const bool specific = ask.specific && is_candidate(ask, cidr);
            wanted = wanted || (!order.closed && (affine || specific));
        }
    }
    if (!wanted)
        return drop_candidate(cidr, false);

    std::optional<store::Held<store::Affinity>> affinity;
    if (const auto *held = session_.affinity_of(cidr))
        affinity = *held;
    auto claimed = claim_block(session_.store(), session_.host(), cidr, std::move(affinity),
                               session_.deadline());
    if (claimed)
        return remember(*claimed);
    stand_back_ = true;
    session_.forget_affinity(cidr);
    drop_candidate(cidr, true);
    switch (claimed.error().kind()) {
    case ErrorKind::kConflict:
    case ErrorKind::kNotFound:
    case ErrorKind::kExists:
    case ErrorKind::kUnknownOutcome:
        return;  // a specific address is looked for again
    default:
        return drop_unreadable(cidr, claimed.error());
    }
}

bool Batch::is_wanted(const Cidr &block) const
{
    return std::any_of(orders_.begin(), orders_.end(), [&](const Order &order) {
        return !order.closed &&
               std::any_of(order.asks.begin(), order.asks.end(),
                           [&](const Ask &ask) { return is_candidate(ask, block); });
    });
}

void Batch::drop_candidate(const Cidr &block, bool only_affine)
{
    const auto dropped = [&](const Candidate &candidate) {
        return candidate.block == block && (candidate.affine || !only_affine);
    };
    for (Order &order : orders_) {
        for (Ask &ask : order.asks)
            std::erase_if(ask.candidates, dropped);
    }
}

// Others' trouble with one block is no reason not to take another one; a specific address has no
// other.
void Batch::drop_unreadable(const Cidr &block, const Error &error)
{
    log::warn("block cannot be used", {{"block", block.to_string()}, {"error", error.what()}});
    for (Order &order : orders_) {
        for (const Ask &ask : order.asks) {
            if (ask.specific && is_candidate(ask, block))
                close(order, error);
        }
    }
    drop_candidate(block, false);
}

void Batch::close_open(const Error &error)
{
    for (Order &order : orders_)
        close(order, error);
}

}  // namespace tortie::ipam
