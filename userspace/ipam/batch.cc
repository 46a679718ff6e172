// SPDX-License-Identifier: Apache-2.0
#include "ipam/batch.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "ipam/owner_attributes.h"

namespace tortie::ipam {
namespace {

using store::Block;
using store::Held;

bool is_sound(const Block &block, const Cidr &cidr)
{
    return block.cidr == cidr && is_block(cidr) &&
           block.allocations.size() == block_addresses(cidr);
}

bool holds(const Block &block, const Share &share, const Order &order, std::int64_t sequence)
{
    return std::all_of(share.ordinals.begin(), share.ordinals.end(), [&](std::uint32_t ordinal) {
        const store::Attribute *record = record_of(block, ordinal);
        const auto number = block.sequence_for_allocation.find(ordinal);
        return record != nullptr && record->handle_id == order.request->handle &&
               record->secondary == order.request->attributes &&
               number != block.sequence_for_allocation.end() && number->second == sequence;
    });
}

}  // namespace

void close(Order &order, const Error &error)
{
    if (order.closed)
        return;
    order.error = error;
    order.closed = true;
}

Batch::Batch(Session &session, std::vector<Order> &orders)
    : session_(session), orders_(orders), search_(session)
{
}

void Batch::run()
{
    // What was read ahead is looked at like anything else that is read.
    Session::Blocks ahead;
    std::swap(ahead, session_.blocks());
    for (auto &[cidr, held] : ahead) {
        if (is_wanted(cidr))
            take_block(cidr, std::vector<store::Stored>{
                                 {std::move(held.document), std::move(held.revision)}});
    }
    eager_ = !session_.blocks().empty();
    while (any_open())
        step();
}

bool Batch::any_open() const
{
    return std::any_of(orders_.begin(), orders_.end(),
                       [](const Order &order) { return !order.closed; });
}

void Batch::step()
{
    if (session_.deadline().passed())
        return close_open({ErrorKind::kTryAgain, "no time left to allocate addresses"});

    Plan plan = draw_plan(orders_, session_, eager_);
    const bool handles = std::any_of(orders_.begin(), orders_.end(), [](const Order &order) {
        return !order.closed && order.ledger.must_read();
    });
    if (!plan.unread.empty() || handles)
        read(plan);
    else if (!plan.taken.empty())
        refuse_taken(plan.taken.front());
    else if (!plan.stuck.empty())
        extend(orders_[plan.stuck.front().order], ask_of(plan.stuck.front()));
    else
        commit(plan);

    for (Order &order : orders_)
        order.closed = order.closed || order.served();
    if (std::exchange(stand_back_, false) && any_open() && !backoff_.wait(session_.deadline()))
        close_open({ErrorKind::kTryAgain, kTooManyRetries});
}

void Batch::read(const Plan &plan)
{
    std::vector<store::Query> queries;
    std::vector<Order *> asked;
    for (Order &order : orders_) {
        if (order.closed || !order.ledger.must_read())
            continue;
        asked.push_back(&order);
        queries.emplace_back(order.ledger.key());
    }
    for (const Cidr &block : plan.unread)
        queries.emplace_back(store::Key(store::BlockKey{block}));

    const std::vector<store::Write> early = early_handles();
    store::Exchanged got;
    if (early.empty())
        got.found = session_.store().read(queries, session_.deadline());
    else
        got = session_.store().exchange(queries, early, session_.deadline());
    for (std::size_t i = 0; i < early.size(); ++i) {
        const auto &document = std::get<store::Handle>(early[i].document);
        for (Order &order : orders_) {
            if (order.ledger.id() != document.id)
                continue;
            const auto done = order.ledger.take_answer(early[i], got.written[i], document.blocks);
            if (!done)
                close(order, done.error());
        }
    }
    for (std::size_t i = 0; i < asked.size(); ++i)
        take_handle(*asked[i], std::move(got.found[i]));
    for (std::size_t i = 0; i < plan.unread.size(); ++i)
        take_block(plan.unread[i], std::move(got.found[asked.size() + i]));
    eager_ = eager_ || !plan.unread.empty();
}

// Handles are most often new, and the first block most often has room: where handle and block are
// written one after the other, the handle can go out beside the block's read.
std::vector<store::Write> Batch::early_handles()
{
    std::vector<store::Write> writes;
    if (std::exchange(handles_begun_, true) || session_.store().atomic())
        return writes;
    for (const Order &order : orders_) {
        BlockCounts guess;
        bool complete = !order.closed;
        for (const Ask &ask : order.asks) {
            complete = complete && !ask.candidates.empty();
            if (complete)
                guess[ask.candidates.front().block.to_string()] += ask.wanted;
        }
        if (!complete)
            continue;
        if (auto write = order.ledger.write_for(guess))
            writes.push_back(*std::move(write));
    }
    return writes;
}

void Batch::take_handle(Order &order, store::Found found)
{
    auto held = store::one<store::Handle>(std::move(found));
    if (held)
        order.ledger.read(*std::move(held));
    else if (held.error().kind() == ErrorKind::kNotFound)
        order.ledger.read_nothing();
    else
        return close(order, held.error());
    if (order.request->max_per_handle > 0)
        reuse_addresses(order);
}

// A handle of a virtual machine has what it may have: its addresses are the answer. A count
// without addresses is what a crash left, and no obstacle.
void Batch::reuse_addresses(Order &order)
{
    const unsigned most = order.request->max_per_handle;
    for (Ask &ask : order.asks) {
        const std::int64_t others = count_in_family(order.ledger.others(), ask.family);
        if (ask.full() || others + ask.wanted <= most)
            continue;
        const auto owned =
            addresses_of_handle(session_.store(), order.ledger.id(), session_.deadline());
        if (!owned && owned.error().kind() != ErrorKind::kNotFound)
            return close(order, owned.error());
        std::vector<Address> reusable;
        for (const OwnedAddress &each : owned ? *owned : std::vector<OwnedAddress>()) {
            if (each.ip.family() == ask.family && (!ask.specific || *ask.specific == each.ip))
                reusable.push_back({each.ip, width_bits(ask.family), each.block, 0});
        }
        const bool any = owned && std::any_of(owned->begin(), owned->end(), [&](const auto &each) {
                             return each.ip.family() == ask.family;
                         });
        if (ask.specific && any && reusable.empty())
            return close(order, {ErrorKind::kExists,
                                 "handle " + order.ledger.id() +
                                     " already has IP(s) allocated, cannot assign additional IP " +
                                     ask.specific->to_string() +
                                     " (maxAllocPerIPVersion=" + std::to_string(most) + ")"});
        if (reusable.empty())
            continue;
        reusable.resize(std::min<std::size_t>(reusable.size(), ask.wanted));
        ask.wanted = static_cast<unsigned>(reusable.size());
        ask.granted = std::move(reusable);
        ask.reused = true;
    }
}

void Batch::take_block(const Cidr &cidr, store::Found found)
{
    auto held = store::one<Block>(std::move(found));
    if (!held && held.error().kind() == ErrorKind::kNotFound) {
        unsure_.erase(cidr);
        return make_missing(cidr);
    }
    if (!held) {
        // While it is not known whether addresses of ours are in it, there is no way around it.
        if (unsure_.contains(cidr))
            stand_back_ = true;
        else
            drop_unreadable(cidr, held.error());
        return;
    }
    if (!is_sound(held->document, cidr))
        return drop_unreadable(cidr, {ErrorKind::kInvalidInput, "block is not what its name says"});
    adopt(*held);
    if (has_cooling(held->document) && !session_.knows_config()) {
        const auto config = session_.config();
        if (!config)
            return close_open(config.error());
    }
    check_strict(held->document);
    if (admit(*held))
        session_.blocks().insert_or_assign(cidr, *std::move(held));
}

// With strict affinity a specific address comes from a block of this host, or not at all.
void Batch::check_strict(const Block &block)
{
    if (block.affinity == affinity_text(session_.host()))
        return;
    for (Order &order : orders_) {
        for (const Ask &ask : order.asks) {
            if (order.closed || !ask.specific || !block.cidr.contains(*ask.specific))
                continue;
            const auto config = session_.config();
            if (!config)
                return close(order, config.error());
            if (config->strict_affinity)
                close(order,
                      {ErrorKind::kExists, block.affinity.empty()
                                               ? "Attempt to assign from block " +
                                                     block.cidr.to_string() + " with no affinity"
                                               : "Block host affinity does not match"});
        }
    }
}

void Batch::adopt(const Held<Block> &held)
{
    const auto found = unsure_.find(held.document.cidr);
    if (found == unsure_.end())
        return;
    const Unsure unsure = found->second;
    const bool ours =
        std::all_of(unsure.shares.begin(), unsure.shares.end(), [&](const Share &share) {
            return holds(held.document, share, orders_[share.order], unsure.sequence);
        });
    // Unchanged, the block may still see the lost write arrive.
    if (ours || held.revision.version != unsure.version)
        unsure_.erase(found);
    if (ours)
        grant(unsure.shares, held.document.cidr, unsure.sequence);
}

// Whether the block may be planned with as it was read. False: it is to be read again.
bool Batch::admit(Held<Block> &held)
{
    const Cidr cidr = held.document.cidr;
    Held<store::Affinity> *affinity = session_.affinity_of(cidr);
    if (affinity == nullptr)
        return true;
    if (held.document.affinity != affinity_text(session_.host())) {
        drop_stale_affinity(session_.store(), *affinity, session_.deadline());
        session_.forget_affinity(cidr);
        drop_candidate(cidr, true);
        return true;
    }
    switch (affinity->document.state) {
    case store::AffinityState::kConfirmed:
        return true;
    case store::AffinityState::kOther:
        drop_candidate(cidr, true);
        return true;
    default:
        return confirm(held, *affinity);
    }
}

bool Batch::confirm(Held<Block> &held, Held<store::Affinity> &affinity)
{
    auto confirmed = confirm_affinity(session_.store(), {affinity, held}, session_.deadline());
    if (confirmed) {
        affinity = std::move(confirmed->affinity);
        held = std::move(confirmed->block);
        return true;
    }
    stand_back_ = true;
    auto again = store::get<store::Affinity>(session_.store(), key_of(affinity.document),
                                             session_.deadline());
    if (again) {
        affinity = *std::move(again);
    } else {
        drop_candidate(held.document.cidr, true);
        session_.forget_affinity(held.document.cidr);
    }
    return false;
}

}  // namespace tortie::ipam
