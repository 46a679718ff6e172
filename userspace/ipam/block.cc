// SPDX-License-Identifier: Apache-2.0
#include "ipam/block.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "ipam/block_space.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {
namespace {

// A record without handle and owner: an address that cooled down and lost its time to an old
// peer. It stays held until an operator frees it.
const store::Attribute kNobody;

bool is_cooling(const store::Attribute &record)
{
    return !record.released_at.empty();
}

bool has_cooled(const store::Attribute &record, const Cooldown &cooldown)
{
    if (!is_cooling(record))
        return false;
    const auto released = parse_rfc3339(record.released_at);
    return released &&
           (cooldown.seconds <= 0 || *released < cooldown.now_unix_s - cooldown.seconds);
}

std::uint32_t index_of(store::Block &block, const store::Attribute &record)
{
    const auto found = std::find(block.attributes.begin(), block.attributes.end(), record);
    const auto index = static_cast<std::uint32_t>(found - block.attributes.begin());
    if (found == block.attributes.end())
        block.attributes.push_back(record);
    return index;
}

store::Attribute record_for(const Owner &owner)
{
    store::Attribute record;
    record.handle_id = owner.handle;
    record.secondary = owner.attributes;
    return record;
}

void hold(store::Block &block, std::uint32_t ordinal, std::uint32_t index)
{
    block.allocations[ordinal] = index;
    block.sequence_for_allocation[ordinal] = block.sequence_number;
}

// Addresses with records of their own from here on: held ordinals that point nowhere would
// become somebody's when a record is added.
void ground_dangling(store::Block &block)
{
    const std::size_t known = block.attributes.size();
    const auto dangles = [&](const auto &index) { return index && *index >= known; };
    if (std::none_of(block.allocations.begin(), block.allocations.end(), dangles))
        return;
    const std::uint32_t nobody = index_of(block, kNobody);
    for (auto &index : block.allocations) {
        if (dangles(index))
            index = nobody;
    }
}

void drop_unused_records(store::Block &block)
{
    std::vector<bool> used(block.attributes.size(), false);
    for (const auto &index : block.allocations) {
        if (index && *index < used.size())
            used[*index] = true;
    }
    std::vector<std::uint32_t> renumbered(used.size(), 0);
    std::vector<store::Attribute> kept;
    for (std::size_t i = 0; i < used.size(); ++i) {
        renumbered[i] = static_cast<std::uint32_t>(kept.size());
        if (used[i])
            kept.push_back(std::move(block.attributes[i]));
    }
    block.attributes = std::move(kept);
    for (auto &index : block.allocations) {
        if (index)
            index = renumbered[*index];
    }
}

void free_ordinal(store::Block &block, std::uint32_t ordinal)
{
    block.allocations[ordinal].reset();
    block.unallocated.push_back(ordinal);
    block.sequence_for_allocation.erase(ordinal);
}

void let_go(store::Block &block, const Ordinals &ordinals, const Cooldown &cooldown)
{
    if (ordinals.empty())
        return;
    if (cooldown.seconds > 0) {
        store::Attribute cooling;
        cooling.released_at = rfc3339(cooldown.now_unix_s);
        const std::uint32_t index = index_of(block, cooling);
        for (const std::uint32_t ordinal : ordinals)
            block.allocations[ordinal] = index;
    } else {
        for (const std::uint32_t ordinal : ordinals)
            free_ordinal(block, ordinal);
    }
    tidy(block, cooldown);
}

}  // namespace

std::string_view bare_handle(std::string_view handle_id)
{
    return handle_id.substr(0, handle_id.find('\r'));
}

std::string affinity_text(std::string_view host)
{
    return "host:" + std::string(host);
}

store::Block fresh_block(const Cidr &cidr, std::string_view host)
{
    store::Block block;
    block.cidr = cidr;
    block.affinity = affinity_text(host);
    block.claim_time = rfc3339(unix_now_s());
    block.sequence_number = unix_now_ns();
    const std::uint32_t size = block_addresses(cidr);
    block.allocations.resize(size);
    block.unallocated.reserve(size);
    for (std::uint32_t ordinal = 0; ordinal < size; ++ordinal)
        block.unallocated.push_back(ordinal);
    return block;
}

const store::Attribute *record_of(const store::Block &block, std::uint32_t ordinal)
{
    if (!is_held(block, ordinal) || *block.allocations[ordinal] >= block.attributes.size())
        return nullptr;
    return &block.attributes[*block.allocations[ordinal]];
}

bool is_held(const store::Block &block, std::uint32_t ordinal)
{
    return ordinal < block.allocations.size() && block.allocations[ordinal].has_value();
}

bool is_empty(const store::Block &block)
{
    for (std::uint32_t ordinal = 0; ordinal < block.allocations.size(); ++ordinal) {
        if (!is_held(block, ordinal))
            continue;
        const store::Attribute *record = record_of(block, ordinal);
        if (record == nullptr || !record->handle_id ||
            !equals_ignore_case(bare_handle(*record->handle_id), kWindowsHandle))
            return false;
    }
    return true;
}

bool has_cooling(const store::Block &block)
{
    return std::any_of(block.attributes.begin(), block.attributes.end(), is_cooling);
}

std::uint32_t free_count(const store::Block &block, const Reservations &reservations)
{
    std::uint32_t count = 0;
    for (const std::uint32_t ordinal : block.unallocated) {
        if (ordinal < block.allocations.size() && !is_held(block, ordinal) &&
            (reservations.empty() || !reservations.contains(address_at(block.cidr, ordinal))))
            ++count;
    }
    return count;
}

Ordinals held_by(const store::Block &block, std::string_view handle)
{
    std::vector<bool> theirs;
    for (const store::Attribute &record : block.attributes)
        theirs.push_back(record.handle_id && !is_cooling(record) &&
                         bare_handle(*record.handle_id) == bare_handle(handle));
    Ordinals ordinals;
    for (std::uint32_t ordinal = 0; ordinal < block.allocations.size(); ++ordinal) {
        const auto &index = block.allocations[ordinal];
        if (index && *index < theirs.size() && theirs[*index])
            ordinals.push_back(ordinal);
    }
    return ordinals;
}

Ordinals take(store::Block &block, std::size_t n, const Owner &owner,
              const Reservations &reservations)
{
    ground_dangling(block);
    std::optional<std::uint32_t> index;
    Ordinals taken;
    std::vector<std::uint32_t> left;
    left.reserve(block.unallocated.size());
    for (const std::uint32_t ordinal : block.unallocated) {
        if (ordinal >= block.allocations.size() || is_held(block, ordinal))
            continue;
        if (taken.size() == n || reservations.contains(address_at(block.cidr, ordinal))) {
            left.push_back(ordinal);
            continue;
        }
        if (!index)
            index = index_of(block, record_for(owner));
        hold(block, ordinal, *index);
        taken.push_back(ordinal);
    }
    block.unallocated = std::move(left);
    return taken;
}

bool take_one(store::Block &block, std::uint32_t ordinal, const Owner &owner)
{
    if (ordinal >= block.allocations.size() || is_held(block, ordinal))
        return false;
    ground_dangling(block);
    std::erase(block.unallocated, ordinal);
    hold(block, ordinal, index_of(block, record_for(owner)));
    return true;
}

Ordinals release_handle(store::Block &block, std::string_view handle, const Cooldown &cooldown)
{
    Ordinals ordinals = held_by(block, handle);
    let_go(block, ordinals, cooldown);
    return ordinals;
}

Result<OrdinalsReleased> release_ordinals(store::Block &block,
                                          const std::vector<OrdinalRelease> &releases,
                                          const Cooldown &cooldown)
{
    OrdinalsReleased done;
    std::set<std::uint32_t> seen;
    for (const OrdinalRelease &each : releases) {
        if (!seen.insert(each.ordinal).second)
            continue;
        const store::Attribute *record = record_of(block, each.ordinal);
        if (!is_held(block, each.ordinal) || (record != nullptr && is_cooling(*record))) {
            done.unallocated.push_back(each.ordinal);
            continue;
        }
        const auto stored = block.sequence_for_allocation.find(each.ordinal);
        const std::int64_t number =
            stored == block.sequence_for_allocation.end() ? 0 : stored->second;
        if (each.sequence && *each.sequence != number)
            return fail(ErrorKind::kConflict, "the given sequence number (" +
                                                  std::to_string(*each.sequence) +
                                                  ") does not match (" + std::to_string(number) +
                                                  ") when attempting to release IP");
        const std::string_view holder =
            record != nullptr && record->handle_id ? bare_handle(*record->handle_id) : "";
        if (!each.handle.empty() && bare_handle(each.handle) != holder)
            return fail(ErrorKind::kInvalidInput, address_at(block.cidr, each.ordinal).to_string() +
                                                      " is not assigned to handle " + each.handle);
        done.released.push_back(each.ordinal);
        if (!holder.empty())
            ++done.handles[std::string(holder)];
    }
    std::sort(done.released.begin(), done.released.end());
    if (cooldown.seconds > 0) {
        for (const std::uint32_t ordinal : done.released)
            block.sequence_for_allocation[ordinal] = block.sequence_number;
    }
    let_go(block, done.released, cooldown);
    return done;
}

void tidy(store::Block &block, const Cooldown &cooldown)
{
    for (std::uint32_t ordinal = 0; ordinal < block.allocations.size(); ++ordinal) {
        const store::Attribute *record = record_of(block, ordinal);
        if (record != nullptr && has_cooled(*record, cooldown))
            free_ordinal(block, ordinal);
    }
    ground_dangling(block);
    drop_unused_records(block);
    std::erase_if(block.sequence_for_allocation,
                  [&](const auto &entry) { return !is_held(block, entry.first); });
}

void count_write(store::Block &block)
{
    ++block.sequence_number;
}

std::vector<std::string> faults_of(const store::Block &block)
{
    std::vector<std::string> faults;
    if (!is_block(block.cidr) || block.allocations.size() != block_addresses(block.cidr)) {
        faults.push_back("has " + std::to_string(block.allocations.size()) + " entries for " +
                         block.cidr.to_string());
        return faults;
    }
    std::vector<unsigned> listed(block.allocations.size(), 0);
    for (const std::uint32_t ordinal : block.unallocated) {
        if (ordinal >= listed.size())
            faults.push_back("lists the impossible ordinal " + std::to_string(ordinal));
        else
            ++listed[ordinal];
    }
    for (std::uint32_t ordinal = 0; ordinal < listed.size(); ++ordinal) {
        const std::string name = address_at(block.cidr, ordinal).to_string();
        if (listed[ordinal] > 1)
            faults.push_back(name + " is listed as free twice");
        if (is_held(block, ordinal) && listed[ordinal] != 0)
            faults.push_back(name + " is held and listed as free");
        if (!is_held(block, ordinal) && listed[ordinal] == 0)
            faults.push_back(name + " is neither held nor listed as free");
        if (is_held(block, ordinal) && record_of(block, ordinal) == nullptr)
            faults.push_back(name + " has no record");
    }
    return faults;
}

}  // namespace tortie::ipam
