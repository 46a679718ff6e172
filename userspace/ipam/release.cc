// SPDX-License-Identifier: Apache-2.0
#include "ipam/release.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "ipam/backoff.h"
#include "ipam/block.h"
#include "ipam/block_space.h"
#include "ipam/release_aftercare.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {
namespace {

using store::Block;
using store::Handle;
using store::Held;

std::vector<Cidr> blocks_of(const Handle &handle)
{
    std::vector<Cidr> blocks;
    for (const auto &[text, count] : handle.blocks) {
        const auto cidr = Cidr::parse(text);
        if (cidr && is_block(*cidr))
            blocks.push_back(*cidr);
        else
            log::warn("handle names what is no block", {{"handle", handle.id}, {"block", text}});
    }
    return blocks;
}

// A handle whose addresses are on their way out.
struct Target {
    std::string id;
    std::optional<Held<Handle>> handle;  // nullopt: there is none, only its blocks are searched
    std::set<Cidr, CidrLess> blocks;     // to be looked into
};

// A block with addresses released, ready to be written.
struct Change {
    Block block;
    store::Revision expected;
    Ordinals ordinals;
};

class Releasing {
public:
    Releasing(store::Store &store, ReleaseView view, Deadline deadline)
        : store_(store), view_(std::move(view)), deadline_(deadline)
    {
    }

    void add(Held<Handle> handle)
    {
        Target target{handle.document.id, std::nullopt, {}};
        for (const Cidr &block : blocks_of(handle.document))
            target.blocks.insert(block);
        target.handle = std::move(handle);
        targets_.push_back(std::move(target));
    }

    void add(std::string id, const std::vector<Cidr> &blocks)
    {
        targets_.push_back({std::move(id), std::nullopt, {blocks.begin(), blocks.end()}});
    }

    Result<Released> run()
    {
        Backoff backoff;
        while (!targets_.empty()) {
            TORTIE_TRY(const bool progress, round());
            if (!progress && !backoff.wait(deadline_))
                return fail(ErrorKind::kTryAgain, kTooManyRetries);
        }
        free_pruned(store_, cooling_, deadline_);
        give_up_deselected(store_, emptied_, std::move(pools_), deadline_);
        return std::move(released_);
    }

private:
    // False: somebody was faster, try again.
    Result<bool> round()
    {
        TORTIE_TRY(const std::vector<Change> changes, read_changes());
        std::vector<store::Write> writes = block_writes(changes);
        const std::vector<store::Write> removals = handle_removals();
        const std::size_t blocks = writes.size();
        if (store_.atomic())
            writes.insert(writes.end(), removals.begin(), removals.end());
        const store::Written written =
            writes.empty() ? store::Written() : store_.commit(writes, deadline_);

        TORTIE_TRY(const bool all, take_block_answers(changes, std::span(written).first(blocks)));
        if (!all)
            return false;
        if (store_.atomic())
            return take_removal_answers(std::span(written).subspan(blocks));
        return remove_handles(removals);
    }

    Result<std::vector<Change>> read_changes()
    {
        std::set<Cidr, CidrLess> wanted;
        for (const Target &target : targets_)
            wanted.insert(target.blocks.begin(), target.blocks.end());
        std::vector<store::Query> queries;
        queries.reserve(wanted.size());
        for (const Cidr &block : wanted)
            queries.emplace_back(store::Key(store::BlockKey{block}));

        std::vector<store::Found> found = store_.read(queries, deadline_);
        std::vector<Change> changes;
        for (store::Found &each : found) {
            auto held = store::one<Block>(std::move(each));
            if (!held && held.error().kind() == ErrorKind::kNotFound)
                continue;
            if (!held)
                return fail(std::move(held).error());
            Change change{std::move(held->document), std::move(held->revision), {}};
            release_from(change);
            if (!change.ordinals.empty())
                changes.push_back(std::move(change));
        }
        return changes;
    }

    void release_from(Change &change)
    {
        for (const Target &target : targets_) {
            if (!target.blocks.contains(change.block.cidr))
                continue;
            const Ordinals ordinals =
                release_handle(change.block, target.id, {view_.cooldown_s, unix_now_s()});
            change.ordinals.insert(change.ordinals.end(), ordinals.begin(), ordinals.end());
        }
    }

    static std::vector<store::Write> block_writes(const std::vector<Change> &changes)
    {
        std::vector<store::Write> writes;
        for (const Change &change : changes) {
            store::Write write{store::Op::kUpdate, store::BlockKey{change.block.cidr}, change.block,
                               change.expected, 0};
            if (is_empty(change.block) && change.block.affinity.empty())
                write.op = store::Op::kDelete;
            else
                count_write(std::get<Block>(write.document));
            writes.push_back(std::move(write));
        }
        return writes;
    }

    std::vector<store::Write> handle_removals() const
    {
        std::vector<store::Write> writes;
        for (const Target &target : targets_) {
            if (target.handle)
                writes.push_back({store::Op::kDelete, store::HandleKey{target.id},
                                  target.handle->document, target.handle->revision, 1});
        }
        return writes;
    }

    // An answer that was lost is found out by reading again: released addresses are not there.
    static bool is_passing(const Error &error)
    {
        return error.kind() == ErrorKind::kConflict || error.kind() == ErrorKind::kNotFound ||
               error.kind() == ErrorKind::kUnknownOutcome ||
               error.kind() == ErrorKind::kNotAttempted;
    }

    Result<bool> take_block_answers(const std::vector<Change> &changes,
                                    std::span<const Result<store::Revision>> answers)
    {
        bool all = true;
        for (std::size_t i = 0; i < changes.size(); ++i) {
            if (!answers[i] && !is_passing(answers[i].error()))
                return fail(answers[i].error());
            all = all && answers[i];
            const bool lost =
                !answers[i] && answers[i].error().kind() == ErrorKind::kUnknownOutcome;
            if (answers[i] || lost)
                note(changes[i]);
        }
        return all;
    }

    void note(const Change &change)
    {
        const Cidr &cidr = change.block.cidr;
        for (const std::uint32_t ordinal : change.ordinals) {
            const IpAddr ip = address_at(cidr, ordinal);
            if (std::find(released_.addresses.begin(), released_.addresses.end(), ip) ==
                released_.addresses.end())
                released_.addresses.push_back(ip);
        }
        if (view_.cooldown_s > 0 && !store_.atomic())
            cooling_[cidr] = change.ordinals;
        const bool settled = std::any_of(view_.everywhere.begin(), view_.everywhere.end(),
                                         [&](const Cidr &pool) { return covers(pool, cidr); });
        if (is_empty(change.block) && change.block.affinity.starts_with("host:") && !settled)
            emptied_[cidr] = change.block.affinity.substr(5);
    }

    // The pools come along when they are needed, beside the last write.
    Result<bool> remove_handles(const std::vector<store::Write> &removals)
    {
        std::vector<store::Query> queries;
        if (!emptied_.empty() && !pools_)
            queries.emplace_back(store::ListPools{});
        if (queries.empty() && removals.empty())
            return take_removal_answers({});
        store::Exchanged got = store_.exchange(queries, removals, deadline_);
        if (!queries.empty())
            pools_ = std::move(got.found.front());
        return take_removal_answers(got.written);
    }

    Result<bool> take_removal_answers(std::span<const Result<store::Revision>> answers)
    {
        std::vector<Target> left;
        std::size_t at = 0;
        for (Target &target : targets_) {
            if (!target.handle)
                continue;
            const Result<store::Revision> &answer = answers[at++];
            if (answer || answer.error().kind() == ErrorKind::kNotFound)
                continue;
            if (!is_passing(answer.error()))
                return fail(answer.error());
            left.push_back(std::move(target));
        }
        targets_ = std::move(left);
        if (targets_.empty())
            return true;
        TORTIE_DO(read_handles_again());
        return targets_.empty();
    }

    Result<void> read_handles_again()
    {
        std::vector<store::Query> queries;
        queries.reserve(targets_.size());
        for (const Target &target : targets_)
            queries.emplace_back(store::Key(store::HandleKey{target.id}));
        targets_.clear();
        for (store::Found &each : store_.read(queries, deadline_)) {
            auto held = store::one<Handle>(std::move(each));
            if (!held && held.error().kind() != ErrorKind::kNotFound)
                return fail(std::move(held).error());
            if (held)
                add(*std::move(held));
        }
        return {};
    }

    store::Store &store_;
    ReleaseView view_;
    Deadline deadline_;
    std::vector<Target> targets_;
    Released released_;
    CoolingBlocks cooling_;
    EmptiedBlocks emptied_;
    std::optional<store::Found> pools_;
};

// Where an address of this host could be that no handle tells of: in the host's own blocks.
Result<void> search_without_handle(store::Store &store, const std::string &host,
                                   const ReleaseNames &names, Releasing &releasing,
                                   Deadline deadline)
{
    std::vector<store::Query> queries;
    if (!host.empty())
        queries.emplace_back(store::ListAffinities{host, store::AffinityType::kHost});
    const bool legacy = !names.legacy.empty() && !names.legacy_always;
    if (legacy)
        queries.emplace_back(store::Key(store::HandleKey{names.legacy}));
    if (queries.empty())
        return {};
    std::vector<store::Found> found = store.read(queries, deadline);
    if (legacy) {
        auto handle = store::one<Handle>(std::move(found.back()));
        if (handle)
            releasing.add(*std::move(handle));
        else if (handle.error().kind() != ErrorKind::kNotFound)
            return fail(std::move(handle).error());
    }
    if (host.empty())
        return {};
    TORTIE_TRY(const auto affinities, store::all<store::Affinity>(std::move(found.front())));
    std::vector<Cidr> blocks;
    blocks.reserve(affinities.size());
    for (const auto &each : affinities)
        blocks.push_back(each.document.cidr);
    releasing.add(names.handle, blocks);
    return {};
}

}  // namespace

std::vector<store::Query> release_queries(const ReleaseNames &names,
                                          std::optional<std::int64_t> cooldown_s)
{
    std::vector<store::Query> queries = {store::Key(store::HandleKey{names.handle})};
    if (names.legacy_always && !names.legacy.empty())
        queries.emplace_back(store::Key(store::HandleKey{names.legacy}));
    if (!cooldown_s)
        queries.emplace_back(store::Key(store::IpamConfigKey{}));
    return queries;
}

Result<ReleaseView> release_view_of(std::span<store::Found> found,
                                    std::optional<std::int64_t> cooldown_s)
{
    ReleaseView view;
    if (cooldown_s) {
        view.cooldown_s = *cooldown_s;
    } else {
        const auto config = store::one<store::IpamConfig>(std::move(found.back()));
        if (config)
            view.cooldown_s = config->document.ip_cooldown_s;
        else if (config.error().kind() != ErrorKind::kNotFound)
            log::warn("IPAM configuration cannot be read, releasing without cooldown",
                      {{"error", config.error().what()}});
        found = found.first(found.size() - 1);
    }
    for (store::Found &each : found) {
        auto handle = store::one<Handle>(std::move(each));
        if (handle)
            view.handles.push_back(*std::move(handle));
        else if (handle.error().kind() != ErrorKind::kNotFound)
            return fail(std::move(handle).error());
    }
    return view;
}

Result<Released> release_handles(store::Store &store, const std::string &host,
                                 const ReleaseNames &names, ReleaseView view, Deadline deadline)
{
    std::vector<Held<Handle>> handles = std::move(view.handles);
    const bool known = std::any_of(handles.begin(), handles.end(), [&](const auto &held) {
        return equals_ignore_case(bare_handle(held.document.id), bare_handle(names.handle));
    });
    Releasing releasing(store, std::move(view), deadline);
    for (Held<Handle> &handle : handles)
        releasing.add(std::move(handle));
    if (!known)
        TORTIE_DO(search_without_handle(store, host, names, releasing, deadline));
    return releasing.run();
}

Result<Released> release_by_handle(store::Store &store, const std::string &host,
                                   const ReleaseNames &names, Deadline deadline)
{
    const std::vector<store::Query> queries = release_queries(names, std::nullopt);
    auto found = store.read(queries, deadline);
    TORTIE_TRY(ReleaseView view, release_view_of(found, std::nullopt));
    return release_handles(store, host, names, std::move(view), deadline);
}

}  // namespace tortie::ipam
