// SPDX-License-Identifier: Apache-2.0
//
// What a batch writes: first the handles, then the blocks.
#include <algorithm>
#include <utility>

#include "ipam/batch.h"

namespace tortie::ipam {
namespace {

constexpr std::size_t kMaxHints = 8;

void note_roomy(Hint &hint, const Cidr &block, bool has_room)
{
    std::erase(hint.roomy, block);
    if (has_room)
        hint.roomy.insert(hint.roomy.begin(), block);
    hint.roomy.resize(std::min(hint.roomy.size(), kMaxHints));
}

}  // namespace

BlockCounts Batch::counts_for(std::size_t order, const Plan &plan) const
{
    BlockCounts counts = orders_[order].granted_counts();
    for (const auto &[block, count] : plan.counts_of(order))
        counts[block] += count;
    for (const auto &[cidr, unsure] : unsure_) {
        if (plan.drafts.contains(cidr))
            continue;
        for (const Share &share : unsure.shares) {
            if (share.order == order)
                counts[cidr.to_string()] += static_cast<std::int64_t>(share.ordinals.size());
        }
    }
    return counts;
}

void Batch::commit(Plan &plan)
{
    std::vector<store::Write> writes;
    std::vector<std::pair<std::size_t, BlockCounts>> handles;
    for (std::size_t i = 0; i < orders_.size(); ++i) {
        if (orders_[i].closed || plan.counts_of(i).empty())
            continue;
        BlockCounts counts = counts_for(i, plan);
        if (auto write = orders_[i].ledger.write_for(counts)) {
            writes.push_back(*std::move(write));
            handles.emplace_back(i, std::move(counts));
        }
    }
    handles_begun_ = true;
    for (auto &[cidr, draft] : plan.drafts) {
        count_write(draft.block);
        writes.push_back({store::Op::kUpdate, store::BlockKey{cidr}, draft.block,
                          session_.blocks().at(cidr).revision, 1});
    }

    const store::Written written = session_.store().commit(writes, session_.deadline());
    for (std::size_t i = 0; i < handles.size(); ++i) {
        Order &order = orders_[handles[i].first];
        const auto done = order.ledger.take_answer(writes[i], written[i], handles[i].second);
        if (!done)
            close(order, done.error());
        stand_back_ = stand_back_ || (done && !*done);
    }
    std::size_t at = handles.size();
    for (auto &[cidr, draft] : plan.drafts)
        take_block_answer(cidr, std::move(draft), written[at++]);
}

void Batch::take_block_answer(const Cidr &cidr, Draft draft, const Result<store::Revision> &answer)
{
    store::Held<store::Block> &base = session_.blocks().at(cidr);
    const std::int64_t sequence = base.document.sequence_number;
    if (answer) {
        base = {std::move(draft.block), *answer};
        unsure_.erase(cidr);
        return grant(draft.shares, cidr, sequence);
    }
    switch (answer.error().kind()) {
    case ErrorKind::kNotAttempted:
        return;
    case ErrorKind::kUnknownOutcome:
        unsure_[cidr] = {base.revision.version, sequence, std::move(draft.shares)};
        [[fallthrough]];
    case ErrorKind::kConflict:
    case ErrorKind::kNotFound:
        session_.blocks().erase(cidr);
        stand_back_ = true;
        return;
    default:
        for (const Share &share : draft.shares)
            close(orders_[share.order], answer.error());
    }
}

void Batch::grant(const std::vector<Share> &shares, const Cidr &block, std::int64_t sequence)
{
    for (const Share &share : shares) {
        Ask &ask = ask_of(share);
        for (const std::uint32_t ordinal : share.ordinals)
            ask.granted.push_back(address_of(ask, block, ordinal, sequence));
        ask.planned = 0;
    }
    const auto held = session_.blocks().find(block);
    if (held != session_.blocks().end() && session_.affinity_of(block) != nullptr)
        note_roomy(session_.hint(), block,
                   free_count(held->second.document, session_.reservations()) > 0);
}

// The address is somebody's, unless it is this very handle's, which may have just one.
void Batch::refuse_taken(const Share &taken)
{
    Order &order = orders_[taken.order];
    Ask &ask = ask_of(taken);
    const Cidr cidr = ask.candidates.front().block;
    const auto held = held_by(session_.blocks().at(cidr).document, order.request->handle);
    const auto ordinal = ordinal_of(cidr, *ask.specific);
    const bool ours = std::find(held.begin(), held.end(), *ordinal) != held.end();
    if (ours && order.request->max_per_handle > 0) {
        ask.granted = {address_of(ask, cidr, *ordinal, 0)};
        ask.reused = true;
        return;
    }
    close(order, {ErrorKind::kExists, "resource already exists: " + ask.specific->to_string() +
                                          " with error: Address already assigned in block"});
}

std::vector<Batch::Leaving> Batch::leavings() const
{
    std::vector<Leaving> leaving;
    for (std::size_t i = 0; i < orders_.size(); ++i) {
        if (orders_[i].served())
            continue;
        for (const Ask &ask : orders_[i].asks) {
            for (const Address &address : ask.reused ? std::vector<Address>() : ask.granted)
                leaving.push_back({i, address});
        }
    }
    for (const auto &[cidr, unsure] : unsure_) {
        for (const Share &share : unsure.shares) {
            const Ask &ask = orders_[share.order].asks[share.ask];
            for (const std::uint32_t ordinal : share.ordinals)
                leaving.push_back({share.order, address_of(ask, cidr, ordinal, unsure.sequence)});
        }
    }
    return leaving;
}

}  // namespace tortie::ipam
