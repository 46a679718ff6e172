// SPDX-License-Identifier: Apache-2.0
#include "ipam/new_block.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "ipam/backoff.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {
namespace {

using store::Block;
using store::Held;

// Source: spec calico-ipam-datastore.md 2.1.
constexpr std::int64_t kDefaultMaxBlocks = 20;
constexpr std::int64_t kReclaimAge = 60;

// How many names are tried before everything is listed (6.3).
constexpr std::size_t kProbes = 4;

constexpr std::string_view kHostPrefix = "host:";

BlockWalk walk_of(const UsablePool &pool, const std::string &host)
{
    return {pool.cidr, pool.block_prefix, start_block(pool.cidr, pool.block_prefix, host)};
}

std::int64_t limit_of(std::int64_t configured, std::int64_t asked)
{
    if (asked > 0 && configured > 0)
        return std::min(asked, configured);
    if (asked > 0 || configured > 0)
        return std::max(asked, configured);
    return kDefaultMaxBlocks;
}

bool lies_in(const std::vector<UsablePool> &pools, const Cidr &block)
{
    return std::any_of(pools.begin(), pools.end(),
                       [&](const UsablePool &pool) { return covers(pool.cidr, block); });
}

// Somebody was faster, or may have been.
bool is_lost_race(const Error &error)
{
    return error.kind() == ErrorKind::kConflict || error.kind() == ErrorKind::kNotFound ||
           error.kind() == ErrorKind::kUnknownOutcome || error.kind() == ErrorKind::kExists;
}

}  // namespace

Result<std::optional<AffineBlock>> BlockSearch::claim(Ask &ask, unsigned max_blocks)
{
    if (session_.knows_config())
        TORTIE_DO(check_limits(ask, max_blocks));
    Backoff backoff;
    bool checked = session_.knows_config();
    do {
        TORTIE_TRY(const auto choice, choose(ask.pools));
        if (!std::exchange(checked, true))
            TORTIE_DO(check_limits(ask, max_blocks));
        if (!choice)
            return std::optional<AffineBlock>();
        if (choice->idle != nullptr && !make_free(*choice->idle)) {
            refused_.push_back(choice->block);
            continue;
        }
        auto claimed = claim_block(session_.store(), session_.host(), choice->block, std::nullopt,
                                   session_.deadline());
        if (claimed)
            return std::optional<AffineBlock>(*std::move(claimed));
        if (!is_lost_race(claimed.error()))
            return fail(std::move(claimed).error());
        listed_ = false;
    } while (backoff.wait(session_.deadline()));
    return fail(ErrorKind::kTryAgain, kTooManyRetries);
}

Result<void> BlockSearch::check_limits(Ask &ask, unsigned max_blocks)
{
    TORTIE_TRY(const store::IpamConfig config, session_.config());
    const auto &held = session_.affinities();
    const std::int64_t owned = std::count_if(held.begin(), held.end(), [&](const auto &affinity) {
        return lies_in(ask.pools, affinity.document.cidr);
    });
    const std::int64_t limit = limit_of(config.max_blocks_per_host, max_blocks);
    if (owned >= limit) {
        ask.messages.push_back("Need to allocate an IPAM block but could not - limit of " +
                               std::to_string(limit) + " blocks reached for this node");
        return fail(ErrorKind::kNotFound, "cannot allocate new block due to per host block limit");
    }
    if (!config.auto_allocate_blocks)
        return fail(ErrorKind::kNotFound, "failed to find or claim a block");
    return {};
}

Result<std::optional<BlockSearch::Choice>> BlockSearch::choose(const std::vector<UsablePool> &pools)
{
    if (!listed_) {
        TORTIE_TRY(auto probed, probe(pools));
        if (probed)
            return probed;
        TORTIE_DO(list_blocks());
    }
    return choose_listed(pools);
}

bool BlockSearch::skip_reserved(BlockWalk &walk, const Cidr &block) const
{
    if (const auto around = session_.reservations().around(block)) {
        walk.skip(*around);
        return true;
    }
    return session_.reservations().covers_whole(block);
}

std::vector<Cidr> BlockSearch::to_probe(const std::vector<UsablePool> &pools) const
{
    std::vector<Cidr> names;
    for (const UsablePool &pool : pools) {
        BlockWalk walk = walk_of(pool, session_.host());
        for (auto block = walk.next(); block && names.size() < kProbes; block = walk.next()) {
            if (!skip_reserved(walk, *block) && session_.affinity_of(*block) == nullptr)
                names.push_back(*block);
        }
    }
    return names;
}

Result<std::optional<BlockSearch::Choice>> BlockSearch::probe(const std::vector<UsablePool> &pools)
{
    const std::vector<Cidr> names = to_probe(pools);
    std::vector<store::Query> queries;
    queries.reserve(names.size() + 1);
    for (const Cidr &block : names)
        queries.emplace_back(store::Key(store::BlockKey{block}));
    const bool with_config = !session_.knows_config();
    if (with_config)
        queries.emplace_back(store::Key(store::IpamConfigKey{}));

    std::vector<store::Found> found = session_.store().read(queries, session_.deadline());
    if (with_config)
        TORTIE_DO(session_.take_config(std::move(found.back())));
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto block = store::one<Block>(std::move(found[i]));
        if (!block && block.error().kind() == ErrorKind::kNotFound)
            return std::optional<Choice>({names[i], nullptr});
        if (!block)
            return fail(block.error());
        if (is_ours(block->document) && has_room(block->document))
            return std::optional<Choice>({names[i], nullptr});
    }
    return std::optional<Choice>();
}

std::optional<BlockSearch::Choice> BlockSearch::choose_listed(
    const std::vector<UsablePool> &pools) const
{
    std::optional<Choice> idle;
    for (const UsablePool &pool : pools) {
        BlockWalk walk = walk_of(pool, session_.host());
        for (auto block = walk.next(); block; block = walk.next()) {
            // What is known to be ours stands in the plan already.
            if (skip_reserved(walk, *block) || session_.affinity_of(*block) != nullptr)
                continue;
            const auto found = all_.find(*block);
            if (found == all_.end() ||
                (is_ours(found->second.document) && has_room(found->second.document)))
                return Choice{*block, nullptr};
            const bool refused =
                std::find(refused_.begin(), refused_.end(), *block) != refused_.end();
            if (!idle && !refused && is_idle(found->second.document))
                idle = {*block, &found->second};
        }
    }
    return idle;
}

bool BlockSearch::is_ours(const Block &block) const
{
    return block.affinity == affinity_text(session_.host());
}

bool BlockSearch::has_room(const Block &block) const
{
    return free_count(block, session_.reservations()) > 0;
}

// A block without a claim time is older than claim times are.
bool BlockSearch::is_idle(const Block &block) const
{
    if (is_ours(block) || !is_empty(block) || !has_room(block))
        return false;
    const auto claimed = parse_rfc3339(block.claim_time);
    return !claimed || unix_now_s() - *claimed >= kReclaimAge;
}

bool BlockSearch::make_free(const Held<Block> &idle)
{
    const std::string &owner = idle.document.affinity;
    const Cidr &cidr = idle.document.cidr;
    Result<void> released = fail(ErrorKind::kNotFound, "no owner");
    if (owner.starts_with(kHostPrefix))
        released = release_affinity(session_.store(), owner.substr(kHostPrefix.size()), cidr,
                                    {true, idle.document.sequence_number}, session_.deadline());
    else if (!owner.empty())
        return false;
    // Nobody says that it is his: only the block itself is left to take away.
    if (!released && released.error().kind() == ErrorKind::kNotFound) {
        const store::Write write{store::Op::kDelete, store::BlockKey{cidr}, idle.document,
                                 idle.revision, 0};
        const auto gone =
            std::move(session_.store().commit({&write, 1}, session_.deadline()).front());
        if (gone || gone.error().kind() == ErrorKind::kNotFound)
            released = {};
    }
    if (released)
        log::info("took an idle block from its owner",
                  {{"block", cidr.to_string()}, {"owner", owner}});
    return released.has_value();
}

Result<void> BlockSearch::list_blocks()
{
    const store::Query query = store::ListBlocks{};
    TORTIE_TRY(auto held, store::all<Block>(std::move(
                              session_.store().read({&query, 1}, session_.deadline()).front())));
    all_.clear();
    for (auto &each : held) {
        const Cidr cidr = each.document.cidr;
        all_.emplace(cidr, std::move(each));
    }
    listed_ = true;
    return {};
}

Result<std::vector<Candidate>> BlockSearch::borrowable(const std::vector<UsablePool> &pools)
{
    if (!listed_)
        TORTIE_DO(list_blocks());
    std::vector<Candidate> candidates;
    for (const UsablePool &pool : pools) {
        const auto middle =
            all_.lower_bound(start_block(pool.cidr, pool.block_prefix, session_.host()));
        add_borrowable(pool, middle, all_.end(), candidates);
        add_borrowable(pool, all_.begin(), middle, candidates);
    }
    return candidates;
}

void BlockSearch::add_borrowable(const UsablePool &pool, Session::Blocks::const_iterator from,
                                 Session::Blocks::const_iterator to,
                                 std::vector<Candidate> &candidates)
{
    for (auto at = from; at != to; ++at) {
        const auto &[cidr, held] = *at;
        if (cidr.prefix != pool.block_prefix || !covers(pool.cidr, cidr) ||
            !has_room(held.document))
            continue;
        candidates.push_back({cidr, false});
        session_.blocks().emplace(cidr, held);
    }
}

}  // namespace tortie::ipam
