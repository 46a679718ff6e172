// SPDX-License-Identifier: Apache-2.0
//
// What follows a release and may fail without harm.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "ipam/block.h"
#include "ipam/block_space.h"
#include "store/store.h"

namespace tortie::ipam {

// Released with a cooldown; the ordinals of each block.
using CoolingBlocks = std::map<Cidr, Ordinals, CidrLess>;

// Blocks that became empty and the host they are affine to.
using EmptiedBlocks = std::map<Cidr, std::string, CidrLess>;

// The API server of an older release drops the time of release from what we wrote. Then the
// address is freed at once, like everything that such a cluster releases.
// Source: spec calico-v3.32.1.md 10.
void free_pruned(store::Store &store, const CoolingBlocks &blocks, Deadline deadline);

// A node gives up its empty blocks of pools that do not select it any more. `pools` as they were
// read, nullopt: not read yet. What fails here the next allocation of the node does.
// Source: spec calico-ipam-datastore.md 2.8 "consistency check".
void give_up_deselected(store::Store &store, const EmptiedBlocks &blocks,
                        std::optional<store::Found> pools, Deadline deadline);

}  // namespace tortie::ipam
