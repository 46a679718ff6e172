// SPDX-License-Identifier: Apache-2.0
//
// Releasing single addresses, and making a handle's document true again.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ipam/backoff.h"
#include "ipam/block.h"
#include "ipam/block_space.h"
#include "ipam/pools.h"
#include "ipam/release.h"
#include "ipam/release_aftercare.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {
namespace {

using store::Block;
using store::Handle;
using store::Held;

using HandleCounts = std::map<std::string, std::map<std::string, std::int64_t>>;
using ByBlock = std::map<Cidr, std::vector<AddressRelease>, CidrLess>;

bool is_passing(const Error &error)
{
    return error.kind() == ErrorKind::kConflict || error.kind() == ErrorKind::kNotFound ||
           error.kind() == ErrorKind::kUnknownOutcome;
}

// A disabled pool's blocks are found as well.
std::optional<Cidr> block_by_pools(const std::vector<Held<store::Pool>> &pools, const IpAddr &ip)
{
    for (const auto &[pool, revision] : pools) {
        const auto cidr = Cidr::parse(pool.cidr);
        if (!cidr || !cidr->contains(ip))
            continue;
        const std::int64_t size = pool.block_size != 0
                                      ? pool.block_size
                                      : std::int64_t{default_block_prefix(ip.family())};
        if (size >= 0 && size <= 128 && is_block_prefix(ip.family(), static_cast<unsigned>(size)))
            return block_around(ip, static_cast<unsigned>(size));
    }
    return std::nullopt;
}

// One block's part of a release.
class BlockRelease {
public:
    BlockRelease(store::Store &store, const Cidr &cidr, std::vector<AddressRelease> releases,
                 std::int64_t cooldown_s)
        : store_(store), cidr_(cidr), releases_(std::move(releases)), cooldown_s_(cooldown_s)
    {
    }

    Result<OrdinalsReleased> run(Deadline deadline)
    {
        Backoff backoff;
        do {
            TORTIE_TRY(const bool done, attempt(deadline));
            if (done)
                return std::move(done_);
        } while (backoff.wait(deadline));
        return fail(ErrorKind::kTryAgain, kTooManyRetries);
    }

    bool emptied() const { return emptied_; }
    const std::string &affinity() const { return affinity_; }

private:
    Result<bool> attempt(Deadline deadline)
    {
        auto held = store::get<Block>(store_, store::BlockKey{cidr_}, deadline);
        if (!held && held.error().kind() == ErrorKind::kNotFound) {
            // Perhaps it was our own write that made it go.
            if (!lost_)
                done_.unallocated = ordinals();
            return true;
        }
        if (!held)
            return fail(std::move(held).error());
        Block &block = held->document;
        auto released = release_ordinals(block, wanted(), {cooldown_s_, unix_now_s()});
        if (!released)
            return fail(std::move(released).error());
        if (lost_ && released->released.empty())
            return true;
        done_ = *std::move(released);
        if (done_.released.empty())
            return true;
        return write(*held, deadline);
    }

    Result<bool> write(Held<Block> &held, Deadline deadline)
    {
        Block &block = held.document;
        store::Write write{store::Op::kUpdate, store::BlockKey{cidr_}, block, held.revision, 0};
        emptied_ = is_empty(block);
        affinity_ = block.affinity;
        if (emptied_ && affinity_.empty())
            write.op = store::Op::kDelete;
        else
            count_write(std::get<Block>(write.document));
        const auto answer = std::move(store_.commit({&write, 1}, deadline).front());
        if (!answer && !is_passing(answer.error()))
            return fail(answer.error());
        lost_ = !answer && answer.error().kind() == ErrorKind::kUnknownOutcome;
        return answer.has_value();
    }

    Ordinals ordinals() const
    {
        Ordinals all;
        for (const AddressRelease &each : releases_)
            all.push_back(*ordinal_of(cidr_, each.ip));
        return all;
    }

    std::vector<OrdinalRelease> wanted() const
    {
        std::vector<OrdinalRelease> all;
        for (const AddressRelease &each : releases_)
            all.push_back({*ordinal_of(cidr_, each.ip), each.handle, each.sequence});
        return all;
    }

    store::Store &store_;
    Cidr cidr_;
    std::vector<AddressRelease> releases_;
    std::int64_t cooldown_s_;
    OrdinalsReleased done_;
    bool lost_ = false;
    bool emptied_ = false;
    std::string affinity_;
};

store::Write write_of(const Held<Handle> &held, Handle changed)
{
    const store::HandleKey key{held.document.id};
    if (changed.blocks.empty())
        return {store::Op::kDelete, key, held.document, held.revision, 0};
    return {store::Op::kUpdate, key, std::move(changed), held.revision, 0};
}

template <class Change>
Result<void> change_handle(store::Store &store, const std::string &id, Deadline deadline,
                           Change change)
{
    Backoff backoff;
    do {
        auto held = store::get<Handle>(store, store::HandleKey{id}, deadline);
        if (!held && held.error().kind() == ErrorKind::kNotFound)
            return {};
        if (!held)
            return fail(std::move(held).error());
        TORTIE_TRY(Handle changed, change(held->document));
        if (!changed.blocks.empty() && changed.blocks == held->document.blocks)
            return {};
        const store::Write write = write_of(*held, std::move(changed));
        const auto answer = std::move(store.commit({&write, 1}, deadline).front());
        if (answer)
            return {};
        if (!is_passing(answer.error()))
            return fail(answer.error());
    } while (backoff.wait(deadline));
    return fail(ErrorKind::kTryAgain, kTooManyRetries);
}

Handle counted_down(Handle handle, const std::map<std::string, std::int64_t> &counts)
{
    for (const auto &[block, count] : counts) {
        const auto found = handle.blocks.find(block);
        if (found != handle.blocks.end() && (found->second -= count) <= 0)
            handle.blocks.erase(found);
    }
    return handle;
}

Result<void> count_down(store::Store &store, const HandleCounts &counts, Deadline deadline)
{
    for (const auto &each : counts) {
        const auto change = [&](Handle handle) -> Result<Handle> {
            return counted_down(std::move(handle), each.second);
        };
        TORTIE_DO(change_handle(store, each.first, deadline, change));
    }
    return {};
}

Result<ByBlock> sort_by_block(store::Store &store, std::span<const AddressRelease> releases,
                              AddressesReleased &done, Deadline deadline)
{
    std::optional<std::vector<Held<store::Pool>>> pools;
    std::optional<std::vector<Held<Block>>> blocks;
    ByBlock sorted;
    for (const AddressRelease &each : releases) {
        std::optional<Cidr> block = each.block;
        if (!block && !pools) {
            const store::Query query = store::ListPools{};
            TORTIE_TRY(pools, store::all<store::Pool>(
                                  std::move(store.read({&query, 1}, deadline).front())));
        }
        if (!block)
            block = block_by_pools(*pools, each.ip);
        if (!block && !blocks) {
            const store::Query query = store::ListBlocks{};
            TORTIE_TRY(blocks,
                       store::all<Block>(std::move(store.read({&query, 1}, deadline).front())));
        }
        for (std::size_t i = 0; !block && i < blocks->size(); ++i) {
            if ((*blocks)[i].document.cidr.contains(each.ip))
                block = (*blocks)[i].document.cidr;
        }
        if (block && block->contains(each.ip) && is_block(*block))
            sorted[*block].push_back(each);
        else
            done.unallocated.push_back(each.ip);
    }
    return sorted;
}

}  // namespace

Result<AddressesReleased> release_addresses(store::Store &store,
                                            std::span<const AddressRelease> releases,
                                            std::int64_t cooldown_s, Deadline deadline)
{
    AddressesReleased all;
    TORTIE_TRY(const ByBlock sorted, sort_by_block(store, releases, all, deadline));
    HandleCounts counts;
    CoolingBlocks cooling;
    EmptiedBlocks emptied;
    std::optional<Error> trouble;
    for (const auto &[cidr, wanted] : sorted) {
        BlockRelease release(store, cidr, wanted, cooldown_s);
        const auto done = release.run(deadline);
        if (!done) {
            trouble = trouble ? trouble : done.error();
            continue;
        }
        for (const std::uint32_t ordinal : done->released)
            all.released.push_back(address_at(cidr, ordinal));
        for (const std::uint32_t ordinal : done->unallocated)
            all.unallocated.push_back(address_at(cidr, ordinal));
        for (const auto &[handle, count] : done->handles)
            counts[handle][cidr.to_string()] += count;
        if (cooldown_s > 0 && !store.atomic() && !done->released.empty())
            cooling[cidr] = done->released;
        if (release.emptied() && release.affinity().starts_with("host:"))
            emptied[cidr] = release.affinity().substr(5);
    }
    const auto counted = count_down(store, counts, deadline);
    free_pruned(store, cooling, deadline);
    give_up_deselected(store, emptied, std::nullopt, deadline);
    if (trouble)
        return fail(*trouble);
    if (!counted)
        return fail(counted.error());
    return all;
}

Result<void> reconcile_handle(store::Store &store, const std::string &handle, Deadline deadline)
{
    return change_handle(store, handle, deadline, [&](Handle document) -> Result<Handle> {
        std::vector<store::Query> queries;
        std::vector<std::string> names;
        for (const auto &[text, count] : document.blocks) {
            const auto cidr = Cidr::parse(text);
            if (!cidr)
                continue;
            queries.emplace_back(store::Key(store::BlockKey{*cidr}));
            names.push_back(text);
        }
        std::vector<store::Found> found = store.read(queries, deadline);
        document.blocks.clear();
        for (std::size_t i = 0; i < found.size(); ++i) {
            const auto block = store::one<Block>(std::move(found[i]));
            if (!block && block.error().kind() != ErrorKind::kNotFound)
                return fail(block.error());
            const auto held = block ? held_by(block->document, handle).size() : 0;
            if (held > 0)
                document.blocks[names[i]] = static_cast<std::int64_t>(held);
        }
        return document;
    });
}

}  // namespace tortie::ipam
