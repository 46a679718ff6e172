// SPDX-License-Identifier: Apache-2.0
//
// Whether blocks, affinities, handles and the addresses in use agree. Findings are data; what can
// be put right without guessing says so.
//
// On a cluster that is at work a finding may be a change under way: look twice before repairing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "store/store.h"

namespace tortie::ipam {

enum class Problem : std::uint8_t {
    kBlockBroken,           // an ordinal is both free and held, or neither; a record is missing
    kBlocksOverlap,         // an address lies in two blocks
    kBlockWithoutAffinity,  // a block says it is a host's, no affinity of the host says so
    kAffinityWithoutBlock,  // a crashed claim or release
    kAffinityContradicted,  // the block is another host's
    kAffinityUnfinished,    // pending or pendingDeletion though the block is this host's
    kHandleCountsTooMany,   // harmless to addresses, but the document would stay for ever
    kHandleCountsTooFew,    // a DEL would miss an address
    kHandleMissing,         // an address names a handle that has no document
    kAddressWithoutOwner,   // held by a record without handle (cooling ones are none of these)
    kAddressUsedTwice,      // two endpoints have it
    kAddressNotAllocated,   // an endpoint of a pool's address has it, no block knows
    kAddressNotUsed,        // allocated to a pod, no endpoint has it: a leak
};

struct Finding {
    Problem problem = Problem::kBlockBroken;
    std::string object;  // block, affinity, handle or address
    std::string detail;  // in words, with both sides
    bool repairable = false;
};

std::string_view name_of(Problem problem);

struct EndpointAddress {
    IpAddr ip;
    std::string who;  // "namespace/pod", "container <id>"
};

struct Documents {
    std::vector<store::Held<store::Block>> blocks;
    std::vector<store::Held<store::Affinity>> affinities;
    std::vector<store::Held<store::Handle>> handles;

    // nullopt: not known, what needs it is not looked for. Else every endpoint that has one of the
    // addresses in the blocks.
    std::optional<std::vector<EndpointAddress>> endpoints;
};

std::vector<store::Query> check_queries();
Result<Documents> documents_of(std::span<store::Found> found);

// Pure.
std::vector<Finding> check(const Documents &documents);

// Reads again, and repairs if the problem is still there: counts and removes handles, finishes or
// removes affinities. Never frees an address, never changes a block's addresses.
// Errors: kUnsupported for a finding that is not repairable; those of the store.
Result<void> repair(store::Store &store, const Finding &finding, Deadline deadline);

}  // namespace tortie::ipam
