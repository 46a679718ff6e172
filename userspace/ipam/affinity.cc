// SPDX-License-Identifier: Apache-2.0
#include "ipam/affinity.h"

#include <array>
#include <utility>
#include <vector>

#include "base/log.h"
#include "ipam/backoff.h"
#include "ipam/block.h"

namespace tortie::ipam {
namespace {

using store::Affinity;
using store::AffinityState;
using store::Block;
using store::Held;
using store::Op;
using store::Revision;
using store::Store;
using store::Write;

Write create(Affinity affinity)
{
    store::Key key = key_of(affinity);
    return {Op::kCreate, std::move(key), std::move(affinity), {}, 0};
}

Write create(Block block)
{
    store::Key key = store::BlockKey{block.cidr};
    return {Op::kCreate, std::move(key), std::move(block), {}, 0};
}

Write update(const Held<Affinity> &held, AffinityState state)
{
    Affinity changed = held.document;
    changed.state = state;
    return {Op::kUpdate, key_of(changed), std::move(changed), held.revision, 0};
}

// The block as it is, but with another number: whoever read it before cannot write it any more.
Write touch(const Held<Block> &held)
{
    Block changed = held.document;
    count_write(changed);
    return {Op::kUpdate, store::BlockKey{changed.cidr}, std::move(changed), held.revision, 0};
}

Write erase(const Held<Affinity> &held)
{
    return {Op::kDelete, key_of(held.document), held.document, held.revision, 0};
}

Result<Revision> write_one(Store &store, const Write &write, Deadline deadline)
{
    return std::move(store.commit({&write, 1}, deadline).front());
}

// A write of a document whose new content and revision are known afterwards.
template <class T>
Result<Held<T>> written(Store &store, Write write, Deadline deadline)
{
    TORTIE_TRY(Revision revision, write_one(store, write, deadline));
    return Held<T>{std::get<T>(std::move(write.document)), std::move(revision)};
}

bool is_ours(const Block &block, const Affinity &affinity)
{
    return block.affinity == affinity_text(affinity.host);
}

// Somebody else's answer was first, or ours was lost: the document itself tells.
bool should_look(const Error &error)
{
    return error.kind() == ErrorKind::kExists || error.kind() == ErrorKind::kUnknownOutcome ||
           error.kind() == ErrorKind::kConflict;
}

tl::unexpected<Error> claimed_by_other(const Block &block)
{
    return fail(ErrorKind::kConflict, block.cidr.to_string() + " already claimed by " +
                                          (block.affinity.empty() ? "nobody" : block.affinity));
}

Result<Held<Affinity>> pending_affinity(Store &store, const std::string &host, const Cidr &cidr,
                                        Deadline deadline)
{
    const Affinity wanted{store::AffinityType::kHost, host,  cidr,
                          AffinityState::kPending,    false, {}};
    auto made = written<Affinity>(store, create(wanted), deadline);
    if (made || !should_look(made.error()))
        return made;
    TORTIE_TRY(Held<Affinity> held, store::get<Affinity>(store, key_of(wanted), deadline));
    if (held.document.state == AffinityState::kPending ||
        held.document.state == AffinityState::kConfirmed)
        return held;
    return written<Affinity>(store, update(held, AffinityState::kPending), deadline);
}

// Both documents in one transaction; nullopt when it did not take effect, for whatever reason.
std::optional<AffineBlock> claim_at_once(Store &store, const std::string &host, const Cidr &cidr,
                                         Deadline deadline)
{
    const Affinity affinity{store::AffinityType::kHost, host,  cidr,
                            AffinityState::kConfirmed,  false, {}};
    const std::array<Write, 2> writes = {create(affinity), create(fresh_block(cidr, host))};
    store::Written done = store.commit(writes, deadline);
    if (!store::all_written(done))
        return std::nullopt;
    return AffineBlock{{affinity, *std::move(done[0])},
                       {std::get<Block>(writes[1].document), *std::move(done[1])}};
}

Result<Held<Block>> make_block(Store &store, const Held<Affinity> &affinity, Deadline deadline)
{
    const Cidr cidr = affinity.document.cidr;
    auto made = written<Block>(store, create(fresh_block(cidr, affinity.document.host)), deadline);
    if (made || !should_look(made.error()))
        return made;
    TORTIE_TRY(Held<Block> held, store::get<Block>(store, store::BlockKey{cidr}, deadline));
    if (is_ours(held.document, affinity.document))
        return held;
    drop_stale_affinity(store, affinity, deadline);
    return claimed_by_other(held.document);
}

Result<Held<Affinity>> confirm(Store &store, const Held<Affinity> &affinity, Deadline deadline)
{
    if (affinity.document.state == AffinityState::kConfirmed)
        return affinity;
    auto done = written<Affinity>(store, update(affinity, AffinityState::kConfirmed), deadline);
    if (done || !should_look(done.error()))
        return done;
    TORTIE_TRY(Held<Affinity> held,
               store::get<Affinity>(store, key_of(affinity.document), deadline));
    if (held.document.state == AffinityState::kConfirmed)
        return held;
    return fail(ErrorKind::kConflict,
                "affinity of " + affinity.document.cidr.to_string() + " was changed meanwhile");
}

// Reads both again and confirms; for a releaser that got in between making and confirming.
Result<AffineBlock> confirm_again(Store &store, const Affinity &affinity, Deadline deadline)
{
    const std::array<store::Query, 2> queries = {store::Key(key_of(affinity)),
                                                 store::Key(store::BlockKey{affinity.cidr})};
    auto found = store.read(queries, deadline);
    TORTIE_TRY(Held<Affinity> held, store::one<Affinity>(std::move(found[0])));
    TORTIE_TRY(Held<Block> block, store::one<Block>(std::move(found[1])));
    if (!is_ours(block.document, held.document))
        return claimed_by_other(block.document);
    return confirm_affinity(store, {std::move(held), std::move(block)}, deadline);
}

Result<void> erase_affinity(Store &store, const Held<Affinity> &held, Deadline deadline)
{
    const auto gone = write_one(store, erase(held), deadline);
    if (!gone && gone.error().kind() != ErrorKind::kNotFound)
        return fail(gone.error());
    return {};
}

// What becomes of the block: nothing is left of an empty one.
Write release_write(const Held<Block> &held)
{
    Block changed = held.document;
    const store::BlockKey key{changed.cidr};
    if (is_empty(changed))
        return {Op::kDelete, key, std::move(changed), held.revision, 0};
    changed.affinity.clear();
    changed.claim_time.clear();
    count_write(changed);
    return {Op::kUpdate, key, std::move(changed), held.revision, 0};
}

Result<void> release_in_steps(Store &store, const Held<Affinity> &affinity,
                              const Held<Block> &block, Deadline deadline)
{
    TORTIE_TRY(
        const Held<Affinity> leaving,
        written<Affinity>(store, update(affinity, AffinityState::kPendingDeletion), deadline));
    const auto gone = write_one(store, release_write(block), deadline);
    if (!gone && gone.error().kind() != ErrorKind::kNotFound)
        return fail(gone.error());
    return erase_affinity(store, leaving, deadline);
}

}  // namespace

store::AffinityKey key_of(const Affinity &affinity)
{
    return {affinity.host, affinity.cidr, affinity.type};
}

Result<AffineBlock> claim_block(Store &store, const std::string &host, const Cidr &cidr,
                                std::optional<Held<Affinity>> affinity, Deadline deadline)
{
    if (store.atomic() && !affinity) {
        if (auto claimed = claim_at_once(store, host, cidr, deadline))
            return *std::move(claimed);
    }
    if (!affinity) {
        TORTIE_TRY(affinity, pending_affinity(store, host, cidr, deadline));
    } else if (affinity->document.state != AffinityState::kPending) {
        // What is confirmed without a block is a release that died half-way.
        TORTIE_TRY(affinity,
                   written<Affinity>(store, update(*affinity, AffinityState::kPending), deadline));
    }
    TORTIE_TRY(Held<Block> block, make_block(store, *affinity, deadline));
    auto confirmed = confirm(store, *affinity, deadline);
    if (confirmed)
        return AffineBlock{*std::move(confirmed), std::move(block)};
    if (confirmed.error().kind() != ErrorKind::kConflict)
        return fail(std::move(confirmed).error());
    return confirm_again(store, affinity->document, deadline);
}

Result<AffineBlock> confirm_affinity(Store &store, AffineBlock affine, Deadline deadline)
{
    if (store.atomic()) {
        const std::array<Write, 2> writes = {update(affine.affinity, AffinityState::kConfirmed),
                                             touch(affine.block)};
        store::Written done = store.commit(writes, deadline);
        for (const auto &each : done) {
            if (!each)
                return fail(ErrorKind::kConflict, each.error().what());
        }
        return AffineBlock{{std::get<Affinity>(writes[0].document), *std::move(done[0])},
                           {std::get<Block>(writes[1].document), *std::move(done[1])}};
    }
    if (affine.affinity.document.state != AffinityState::kPending) {
        TORTIE_TRY(
            affine.affinity,
            written<Affinity>(store, update(affine.affinity, AffinityState::kPending), deadline));
    }
    TORTIE_TRY(affine.block, written<Block>(store, touch(affine.block), deadline));
    TORTIE_TRY(affine.affinity, confirm(store, affine.affinity, deadline));
    return affine;
}

void drop_stale_affinity(Store &store, const Held<Affinity> &affinity, Deadline deadline)
{
    const auto gone = erase_affinity(store, affinity, deadline);
    if (!gone)
        log::warn("stale block affinity could not be deleted",
                  {{"block", affinity.document.cidr.to_string()}, {"error", gone.error().what()}});
}

Result<void> release_affinity(Store &store, const std::string &host, const Cidr &cidr,
                              const AffinityRelease &release, Deadline deadline)
{
    if (host.empty())
        return fail(ErrorKind::kInvalidInput,
                    "Hostname must be specified to release block affinity");
    const std::array<store::Query, 2> queries = {
        store::Key(store::AffinityKey{host, cidr, store::AffinityType::kHost}),
        store::Key(store::BlockKey{cidr})};
    auto found = store.read(queries, deadline);
    TORTIE_TRY(const Held<Affinity> affinity, store::one<Affinity>(std::move(found[0])));
    const auto block = store::one<Block>(std::move(found[1]));
    if (!block && block.error().kind() == ErrorKind::kNotFound)
        return erase_affinity(store, affinity, deadline);
    if (!block)
        return fail(block.error());

    if (release.sequence && *release.sequence != block->document.sequence_number)
        return fail(ErrorKind::kConflict, "IPAM block updated since we last read it");
    if (!is_ours(block->document, affinity.document)) {
        drop_stale_affinity(store, affinity, deadline);
        return claimed_by_other(block->document);
    }
    if (release.require_empty && !is_empty(block->document))
        return fail(ErrorKind::kConflict, "block '" + cidr.to_string() + "' is not empty");

    if (!store.atomic())
        return release_in_steps(store, affinity, *block, deadline);
    const std::array<Write, 2> writes = {release_write(*block), erase(affinity)};
    for (const auto &each : store.commit(writes, deadline)) {
        if (!each && each.error().kind() != ErrorKind::kNotAttempted)
            return fail(each.error());
    }
    return {};
}

}  // namespace tortie::ipam
