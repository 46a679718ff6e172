// SPDX-License-Identifier: Apache-2.0
//
// Which host a block belongs to. Two documents say so, the affinity and the block, and Kubernetes
// has no transaction over both; so an affinity passes through states, and only `confirmed` allows
// to allocate. Where the store has transactions both are written at once.
//
//   none -> pending -> (block is made) -> confirmed -> pendingDeletion -> (block goes) -> none
//
// A process may die between any two steps; whoever comes next can go on from every state.
// Source: spec calico-ipam-datastore.md 2.5, 2.9, 8.6.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "store/store.h"

namespace tortie::ipam {

struct AffineBlock {
    store::Held<store::Affinity> affinity;  // confirmed
    store::Held<store::Block> block;
};

// Makes a block that does not exist yet and its affinity; goes on from what an earlier claim left.
// `affinity` as it was read, if it was.
// Errors: kConflict "<cidr> already claimed by <affinity>", our affinity is gone then; kTryAgain;
// those of the store.
Result<AffineBlock> claim_block(store::Store &store, const std::string &host, const Cidr &cidr,
                                std::optional<store::Held<store::Affinity>> affinity,
                                Deadline deadline);

// For a block that is this host's while the affinity says pending or pendingDeletion: confirms it,
// after touching the block, so that a release that is under way fails.
// Errors: kConflict somebody was faster: read both again.
Result<AffineBlock> confirm_affinity(store::Store &store, AffineBlock affine, Deadline deadline);

// Deletes an affinity that contradicts its block. A failure leaves it for the next one.
void drop_stale_affinity(store::Store &store, const store::Held<store::Affinity> &affinity,
                         Deadline deadline);

struct AffinityRelease {
    bool require_empty = true;
    std::optional<std::int64_t> sequence;  // the block's number must still be this
};

// The block goes when it is empty and loses its affinity otherwise; the affinity goes. An affinity
// without a block just goes.
// Errors: kNotFound no such affinity; kConflict `block '10.0.0.0/26' is not empty`, `IPAM block
// updated since we last read it`, another host's block (its stale affinity is deleted), or
// somebody was faster; kInvalidInput no host.
Result<void> release_affinity(store::Store &store, const std::string &host, const Cidr &cidr,
                              const AffinityRelease &release, Deadline deadline);

store::AffinityKey key_of(const store::Affinity &affinity);

}  // namespace tortie::ipam
