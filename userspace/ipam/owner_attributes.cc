// SPDX-License-Identifier: Apache-2.0
#include "ipam/owner_attributes.h"

#include <algorithm>
#include <utility>

#include "ipam/backoff.h"
#include "ipam/block.h"
#include "ipam/block_space.h"
#include "ipam/pools.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {
namespace {

using store::Attribute;
using store::Block;
using store::Held;
using OwnerMap = std::optional<store::StringMap>;

std::string member_of(const OwnerMap &owner, const std::string &key)
{
    if (!owner)
        return {};
    const auto found = owner->find(key);
    return found == owner->end() ? std::string() : found->second;
}

tl::unexpected<Error> contradiction(const std::string &one, const std::string &other)
{
    return fail(ErrorKind::kInvalidInput,
                "cannot set both " + one + " and " + other + ": these are mutually exclusive");
}

Result<void> check_update(const OwnerUpdate &update)
{
    if (update.clear_active && update.active)
        return contradiction("ClearActiveOwner=true", "ActiveOwnerAttrs");
    if (update.clear_alternate && update.alternate)
        return contradiction("ClearAlternateOwner=true", "AlternateOwnerAttrs");
    if (update.expected_active && update.verify_active_empty)
        return contradiction("ExpectedActiveOwner", "VerifyActiveOwnerEmpty=true");
    if (update.expected_alternate && update.verify_alternate_empty)
        return contradiction("ExpectedAlternateOwner", "VerifyAlternateOwnerEmpty=true");
    return {};
}

Result<void> check_owner(const OwnerMap &owner, const std::optional<PodName> &expected,
                         bool must_be_empty, const std::string &what)
{
    if (expected && !is_owned_by(owner, *expected))
        return fail(ErrorKind::kConflict,
                    "cannot set " + what + ": expected pod=" + expected->name +
                        " namespace=" + expected->ns + " but found pod=" + member_of(owner, "pod") +
                        " namespace=" + member_of(owner, "namespace"));
    if (must_be_empty && owner && !owner->empty())
        return fail(ErrorKind::kConflict,
                    "cannot set " + what + ": expected no owner but found pod=" +
                        member_of(owner, "pod") + " namespace=" + member_of(owner, "namespace"));
    return {};
}

void apply(OwnerMap &owner, const OwnerMap &value, bool clear)
{
    if (value)
        owner = value;
    if (clear)
        owner.reset();
}

// The record of the address, if it is this handle's.
Result<Attribute *> record_for(Block &block, const IpAddr &ip, const std::string &handle)
{
    const std::uint32_t ordinal = *ordinal_of(block.cidr, ip);
    if (!is_held(block, ordinal))
        return fail(ErrorKind::kNotFound, "resource does not exist: " + ip.to_string() +
                                              " with error: Address not assigned in block");
    const Attribute *record = record_of(block, ordinal);
    if (record == nullptr || !record->handle_id ||
        bare_handle(*record->handle_id) != bare_handle(handle))
        return fail(ErrorKind::kInvalidInput,
                    "IP " + ip.to_string() + " is not assigned to handle " + handle);
    return &block.attributes[*block.allocations[ordinal]];
}

bool is_as_wanted(const Attribute &record, const OwnerUpdate &update)
{
    const auto same = [](const OwnerMap &owner, const OwnerMap &value, bool clear) {
        return (!value || owner == value) && (!clear || !owner || owner->empty());
    };
    return same(record.secondary, update.active, update.clear_active) &&
           same(record.alternate, update.alternate, update.clear_alternate);
}

struct Wanted {
    const std::string &handle;
    const OwnerUpdate &update;
    bool perhaps_done;  // the answer to an earlier attempt was lost
};

// False: somebody was faster.
Result<bool> attempt(store::Store &store, const IpAddr &ip, const Cidr &cidr, const Wanted &wanted,
                     Deadline deadline)
{
    const OwnerUpdate &update = wanted.update;
    TORTIE_TRY(Held<Block> held, store::get<Block>(store, store::BlockKey{cidr}, deadline));
    TORTIE_TRY(Attribute * record, record_for(held.document, ip, wanted.handle));
    if (wanted.perhaps_done && is_as_wanted(*record, update))
        return true;
    TORTIE_DO(check_owner(record->secondary, update.expected_active, update.verify_active_empty,
                          "active owner"));
    TORTIE_DO(check_owner(record->alternate, update.expected_alternate,
                          update.verify_alternate_empty, "alternate owner"));
    const Attribute before = *record;
    apply(record->secondary, update.active, update.clear_active);
    apply(record->alternate, update.alternate, update.clear_alternate);
    if (*record == before)
        return true;
    count_write(held.document);
    const store::Write write{store::Op::kUpdate, store::BlockKey{cidr}, std::move(held.document),
                             held.revision, 0};
    const auto answer = std::move(store.commit({&write, 1}, deadline).front());
    if (answer)
        return true;
    switch (answer.error().kind()) {
    case ErrorKind::kConflict:
    case ErrorKind::kNotFound:
        return false;
    default:
        return fail(answer.error());
    }
}

Result<Cidr> block_of(store::Store &store, const IpAddr &ip, Deadline deadline)
{
    const store::Query query = store::ListPools{};
    TORTIE_TRY(auto held,
               store::all<store::Pool>(std::move(store.read({&query, 1}, deadline).front())));
    std::vector<store::Pool> pools;
    pools.reserve(held.size());
    for (auto &each : held)
        pools.push_back(std::move(each.document));
    const auto usable = usable_pools(pools);
    const UsablePool *pool = pool_of(usable, ip);
    if (pool == nullptr)
        return fail(ErrorKind::kInvalidInput,
                    "the provided IP address " + ip.to_string() + " is not in a configured pool");
    return block_around(ip, pool->block_prefix);
}

}  // namespace

bool is_owned_by(const OwnerMap &attributes, const PodName &pod)
{
    return attributes && member_of(attributes, "pod") == pod.name &&
           member_of(attributes, "namespace") == pod.ns;
}

Result<std::vector<OwnedAddress>> addresses_of_handle(store::Store &store,
                                                      const std::string &handle, Deadline deadline)
{
    TORTIE_TRY(const Held<store::Handle> held,
               store::get<store::Handle>(store, store::HandleKey{handle}, deadline));
    std::vector<store::Query> queries;
    for (const auto &[text, count] : held.document.blocks) {
        const auto cidr = Cidr::parse(text);
        if (cidr && is_block(*cidr))
            queries.emplace_back(store::Key(store::BlockKey{*cidr}));
    }
    std::vector<OwnedAddress> owned;
    for (store::Found &each : store.read(queries, deadline)) {
        const auto block = store::one<Block>(std::move(each));
        if (!block && block.error().kind() != ErrorKind::kNotFound)
            return fail(block.error());
        for (const std::uint32_t ordinal : block ? held_by(block->document, handle) : Ordinals()) {
            const Attribute &record = *record_of(block->document, ordinal);
            const Cidr &cidr = block->document.cidr;
            owned.push_back({address_at(cidr, ordinal), cidr, record.secondary, record.alternate});
        }
    }
    if (owned.empty())
        return fail(ErrorKind::kNotFound, "no address is assigned to handle " + handle);
    std::stable_sort(owned.begin(), owned.end(),
                     [](const auto &a, const auto &b) { return a.ip.family() < b.ip.family(); });
    return owned;
}

Result<void> set_owner_attributes(store::Store &store, const IpAddr &ip,
                                  const std::optional<Cidr> &block, const std::string &handle,
                                  const OwnerUpdate &update, Deadline deadline)
{
    TORTIE_DO(check_update(update));
    Cidr cidr;
    if (block) {
        cidr = *block;
    } else {
        TORTIE_TRY(cidr, block_of(store, ip, deadline));
    }
    if (!is_block(cidr) || !cidr.contains(ip))
        return fail(ErrorKind::kInvalidInput,
                    "IP " + ip.to_string() + " not in block " + cidr.to_string());
    Backoff backoff;
    bool lost = false;
    do {
        const auto done = attempt(store, ip, cidr, {handle, update, lost}, deadline);
        if (done && *done)
            return {};
        if (!done && done.error().kind() != ErrorKind::kUnknownOutcome)
            return fail(done.error());
        lost = lost || !done;
    } while (backoff.wait(deadline));
    return fail(ErrorKind::kTryAgain, kTooManyRetries);
}

}  // namespace tortie::ipam
