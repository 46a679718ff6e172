// SPDX-License-Identifier: Apache-2.0
#include "ipam/handle.h"

#include <algorithm>
#include <utility>

namespace tortie::ipam {

std::int64_t count_in_family(const BlockCounts &counts, Family family)
{
    std::int64_t sum = 0;
    for (const auto &[block, count] : counts) {
        const bool v6 = block.find(':') != std::string::npos;
        if (v6 == (family == Family::kIpv6))
            sum += count;
    }
    return sum;
}

void HandleLedger::read(store::Held<store::Handle> held)
{
    if (unsure_ && held.document.blocks == unsure_->document)
        ours_ = unsure_->ours;
    unsure_.reset();
    stored_ = std::move(held);
    must_read_ = false;
}

void HandleLedger::read_nothing()
{
    unsure_.reset();
    stored_.reset();
    ours_.clear();
    must_read_ = false;
}

BlockCounts HandleLedger::others() const
{
    if (!stored_)
        return {};
    BlockCounts counts = stored_->document.blocks;
    for (const auto &[block, count] : ours_) {
        const auto found = counts.find(block);
        if (found != counts.end())
            found->second -= std::min(found->second, count);
    }
    std::erase_if(counts, [](const auto &entry) { return entry.second <= 0; });
    return counts;
}

std::optional<store::Write> HandleLedger::write_for(const BlockCounts &wanted) const
{
    if (stored_ ? wanted == ours_ : wanted.empty())
        return std::nullopt;
    store::Handle document = stored_ ? stored_->document : store::Handle{id_, {}, false, {}};
    document.blocks = others();
    for (const auto &[block, count] : wanted)
        document.blocks[block] += count;

    if (!stored_)
        return store::Write{store::Op::kCreate, key(), std::move(document), {}, 0};
    if (document.blocks.empty())
        return store::Write{store::Op::kDelete, key(), stored_->document, stored_->revision, 0};
    return store::Write{store::Op::kUpdate, key(), std::move(document), stored_->revision, 0};
}

Result<bool> HandleLedger::take_answer(const store::Write &write,
                                       const Result<store::Revision> &answer,
                                       const BlockCounts &wanted)
{
    const auto &document = std::get<store::Handle>(write.document);
    if (answer) {
        ours_ = wanted;
        if (write.op == store::Op::kDelete)
            stored_.reset();
        else
            stored_ = {document, *answer};
        return true;
    }
    switch (answer.error().kind()) {
    case ErrorKind::kNotAttempted:
        return false;
    case ErrorKind::kUnknownOutcome:
        if (write.op != store::Op::kDelete)
            unsure_ = {document.blocks, wanted};
        [[fallthrough]];
    case ErrorKind::kExists:
    case ErrorKind::kConflict:
    case ErrorKind::kNotFound:
        must_read_ = true;
        return false;
    default:
        return fail(answer.error());
    }
}

}  // namespace tortie::ipam
