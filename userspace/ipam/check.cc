// SPDX-License-Identifier: Apache-2.0
#include "ipam/check.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/strings.h"
#include "ipam/affinity.h"
#include "ipam/block.h"
#include "ipam/block_space.h"
#include "ipam/release.h"

namespace tortie::ipam {
namespace {

using store::Affinity;
using store::AffinityState;
using store::Block;
using store::Handle;
using store::Held;

class Checking {
public:
    explicit Checking(const Documents &documents) : documents_(documents) {}

    std::vector<Finding> run()
    {
        check_blocks();
        check_overlaps();
        check_affinities();
        check_handles();
        if (documents_.endpoints)
            check_endpoints();
        return std::move(findings_);
    }

private:
    void find(Problem problem, std::string object, std::string detail, bool repairable = false)
    {
        findings_.push_back({problem, std::move(object), std::move(detail), repairable});
    }

    void check_blocks()
    {
        for (const auto &[block, revision] : documents_.blocks) {
            const std::string name = block.cidr.to_string();
            for (const std::string &fault : faults_of(block))
                find(Problem::kBlockBroken, name, fault);
            count_records(block, name);
            if (block.affinity.starts_with("host:") &&
                !find_affinity(block.affinity.substr(5), block.cidr))
                find(Problem::kBlockWithoutAffinity, name,
                     "is " + block.affinity + "'s, which has no affinity of it");
        }
    }

    // Who holds what, for the handles; and what nobody can release.
    void count_records(const Block &block, const std::string &name)
    {
        for (std::uint32_t ordinal = 0; ordinal < block.allocations.size(); ++ordinal) {
            const store::Attribute *record = record_of(block, ordinal);
            if (record == nullptr || !record->released_at.empty())
                continue;
            const IpAddr ip = address_at(block.cidr, ordinal);
            if (!record->handle_id || bare_handle(*record->handle_id).empty())
                find(Problem::kAddressWithoutOwner, ip.to_string(),
                     "is held in " + name + " by a record without a handle");
            else if (!equals_ignore_case(bare_handle(*record->handle_id), kWindowsHandle))
                ++held_[std::string(bare_handle(*record->handle_id))][name];
            const bool pod = record->secondary && record->secondary->contains("pod");
            allocated_.emplace(ip, pod);
        }
    }

    void check_overlaps()
    {
        std::vector<Cidr> cidrs;
        for (const auto &each : documents_.blocks)
            cidrs.push_back(each.document.cidr);
        std::sort(cidrs.begin(), cidrs.end(), CidrLess());
        for (std::size_t i = 1; i < cidrs.size(); ++i) {
            if (covers(cidrs[i - 1], cidrs[i]))
                find(Problem::kBlocksOverlap, cidrs[i].to_string(),
                     "lies in " + cidrs[i - 1].to_string());
        }
    }

    const Affinity *find_affinity(std::string_view host, const Cidr &cidr) const
    {
        for (const auto &[affinity, revision] : documents_.affinities) {
            if (affinity.type == store::AffinityType::kHost && affinity.host == host &&
                affinity.cidr == cidr)
                return &affinity;
        }
        return nullptr;
    }

    const Block *find_block(const Cidr &cidr) const
    {
        const auto found =
            std::find_if(documents_.blocks.begin(), documents_.blocks.end(),
                         [&](const auto &each) { return each.document.cidr == cidr; });
        return found == documents_.blocks.end() ? nullptr : &found->document;
    }

    void check_affinities()
    {
        for (const auto &[affinity, revision] : documents_.affinities) {
            if (affinity.type != store::AffinityType::kHost)
                continue;
            const std::string name = affinity.host + " " + affinity.cidr.to_string();
            const Block *block = find_block(affinity.cidr);
            if (block == nullptr)
                find(Problem::kAffinityWithoutBlock, name, "there is no such block", true);
            else if (block->affinity != affinity_text(affinity.host))
                find(
                    Problem::kAffinityContradicted, name,
                    "the block is " + (block->affinity.empty() ? "nobody" : block->affinity) + "'s",
                    true);
            else if (affinity.state != AffinityState::kConfirmed)
                find(Problem::kAffinityUnfinished, name, "is not confirmed", true);
        }
    }

    void check_handles()
    {
        std::map<std::string, const Handle *> handles;
        for (const auto &each : documents_.handles)
            handles[std::string(bare_handle(each.document.id))] = &each.document;
        for (const auto &[id, blocks] : held_) {
            const auto found = handles.find(id);
            if (found == handles.end())
                find(Problem::kHandleMissing, id,
                     "has addresses in " + blocks.begin()->first + " and no document", true);
        }
        for (const auto &[id, handle] : handles)
            compare(id, *handle);
    }

    void compare(const std::string &id, const Handle &handle)
    {
        const auto found = held_.find(id);
        const auto actual = found == held_.end() ? Counts() : found->second;
        std::set<std::string> blocks;
        for (const auto &[block, count] : handle.blocks)
            blocks.insert(block);
        for (const auto &[block, count] : actual)
            blocks.insert(block);
        if (blocks.empty())
            find(Problem::kHandleCountsTooMany, id, "counts nothing and is still there", true);
        for (const std::string &block : blocks) {
            const auto counted = handle.blocks.find(block);
            const std::int64_t says = counted == handle.blocks.end() ? 0 : counted->second;
            const auto held = actual.find(block);
            const std::int64_t has = held == actual.end() ? 0 : held->second;
            if (says != has)
                find(says > has ? Problem::kHandleCountsTooMany : Problem::kHandleCountsTooFew, id,
                     "counts " + std::to_string(says) + " in " + block + ", which holds " +
                         std::to_string(has),
                     true);
        }
    }

    void check_endpoints()
    {
        std::map<IpAddr, std::string> used;
        for (const EndpointAddress &endpoint : *documents_.endpoints) {
            const auto [at, fresh] = used.emplace(endpoint.ip, endpoint.who);
            if (!fresh && at->second != endpoint.who)
                find(Problem::kAddressUsedTwice, endpoint.ip.to_string(),
                     "by " + at->second + " and " + endpoint.who);
            if (!allocated_.contains(endpoint.ip))
                find(Problem::kAddressNotAllocated, endpoint.ip.to_string(),
                     "is used by " + endpoint.who);
        }
        for (const auto &[ip, pod] : allocated_) {
            if (pod && !used.contains(ip))
                find(Problem::kAddressNotUsed, ip.to_string(), "no pod has it");
        }
    }

    using Counts = std::map<std::string, std::int64_t>;

    const Documents &documents_;
    std::map<std::string, Counts> held_;  // handle -> block -> addresses
    std::map<IpAddr, bool> allocated_;    // true: to a pod
    std::vector<Finding> findings_;
};

// Puts every address that names the handle into its document.
Result<void> recount(store::Store &store, const std::string &id, Deadline deadline)
{
    const std::vector<store::Query> queries = {store::ListBlocks{},
                                               store::Key(store::HandleKey{id})};
    auto found = store.read(queries, deadline);
    TORTIE_TRY(const auto blocks, store::all<Block>(std::move(found[0])));
    auto held = store::one<Handle>(std::move(found[1]));
    if (!held && held.error().kind() != ErrorKind::kNotFound)
        return fail(held.error());

    store::Write write{store::Op::kCreate, store::HandleKey{id}, {}, {}, 0};
    Handle handle{id, {}, false, {}};
    if (held) {
        write.op = store::Op::kUpdate;
        write.expected = held->revision;
        handle = held->document;
        handle.blocks.clear();
    }
    for (const auto &[block, revision] : blocks) {
        const auto count = held_by(block, id).size();
        if (count > 0)
            handle.blocks[block.cidr.to_string()] = static_cast<std::int64_t>(count);
    }
    if (handle.blocks.empty() && !held)
        return {};
    if (handle.blocks.empty()) {
        write.op = store::Op::kDelete;
        handle = held->document;
    }
    write.document = std::move(handle);
    const auto done = std::move(store.commit({&write, 1}, deadline).front());
    if (!done)
        return fail(done.error());
    return {};
}

Result<void> repair_affinity(store::Store &store, const std::string &object, Deadline deadline)
{
    const auto parts = split(object, ' ');
    const auto cidr = parts.size() == 2 ? Cidr::parse(parts[1]) : std::nullopt;
    if (!cidr)
        return fail(ErrorKind::kInvalidInput, "no affinity: " + object);
    const store::AffinityKey key{std::string(parts[0]), *cidr, store::AffinityType::kHost};
    const std::vector<store::Query> queries = {store::Key(key), store::Key(store::BlockKey{*cidr})};
    auto found = store.read(queries, deadline);
    auto affinity = store::one<Affinity>(std::move(found[0]));
    if (!affinity && affinity.error().kind() == ErrorKind::kNotFound)
        return {};
    if (!affinity)
        return fail(affinity.error());
    auto block = store::one<Block>(std::move(found[1]));
    if (!block && block.error().kind() != ErrorKind::kNotFound)
        return fail(block.error());
    if (block && block->document.affinity == affinity_text(key.host)) {
        if (affinity->document.state == AffinityState::kConfirmed)
            return {};
        const auto done =
            confirm_affinity(store, {*std::move(affinity), *std::move(block)}, deadline);
        return done ? Result<void>() : fail(done.error());
    }
    const store::Write write{store::Op::kDelete, key, affinity->document, affinity->revision, 0};
    const auto gone = std::move(store.commit({&write, 1}, deadline).front());
    if (!gone && gone.error().kind() != ErrorKind::kNotFound)
        return fail(gone.error());
    return {};
}

}  // namespace

std::string_view name_of(Problem problem)
{
    switch (problem) {
    case Problem::kBlockBroken:
        return "block-broken";
    case Problem::kBlocksOverlap:
        return "blocks-overlap";
    case Problem::kBlockWithoutAffinity:
        return "block-without-affinity";
    case Problem::kAffinityWithoutBlock:
        return "affinity-without-block";
    case Problem::kAffinityContradicted:
        return "affinity-contradicted";
    case Problem::kAffinityUnfinished:
        return "affinity-unfinished";
    case Problem::kHandleCountsTooMany:
        return "handle-counts-too-many";
    case Problem::kHandleCountsTooFew:
        return "handle-counts-too-few";
    case Problem::kHandleMissing:
        return "handle-missing";
    case Problem::kAddressWithoutOwner:
        return "address-without-owner";
    case Problem::kAddressUsedTwice:
        return "address-used-twice";
    case Problem::kAddressNotAllocated:
        return "address-not-allocated";
    case Problem::kAddressNotUsed:
        break;
    }
    return "address-not-used";
}

std::vector<store::Query> check_queries()
{
    return {store::ListBlocks{}, store::ListAffinities{"", store::AffinityType::kHost},
            store::ListUnlabelledAffinities{}, store::ListHandles{}};
}

Result<Documents> documents_of(std::span<store::Found> found)
{
    Documents documents;
    TORTIE_TRY(documents.blocks, store::all<Block>(std::move(found[0])));
    TORTIE_TRY(documents.affinities, store::all<Affinity>(std::move(found[1])));
    TORTIE_TRY(auto unlabelled, store::all<Affinity>(std::move(found[2])));
    for (auto &each : unlabelled)
        documents.affinities.push_back(std::move(each));
    TORTIE_TRY(documents.handles, store::all<Handle>(std::move(found[3])));
    return documents;
}

std::vector<Finding> check(const Documents &documents)
{
    return Checking(documents).run();
}

Result<void> repair(store::Store &store, const Finding &finding, Deadline deadline)
{
    switch (finding.problem) {
    case Problem::kAffinityWithoutBlock:
    case Problem::kAffinityContradicted:
    case Problem::kAffinityUnfinished:
        return repair_affinity(store, finding.object, deadline);
    case Problem::kHandleCountsTooMany:
    case Problem::kHandleCountsTooFew:
    case Problem::kHandleMissing:
        return recount(store, finding.object, deadline);
    default:
        return fail(ErrorKind::kUnsupported,
                    std::string(name_of(finding.problem)) + " is not repaired without guessing");
    }
}

}  // namespace tortie::ipam
