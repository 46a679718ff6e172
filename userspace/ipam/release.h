// SPDX-License-Identifier: Apache-2.0
//
// Giving addresses back: all of a handle (DEL), or single ones (roll-back).
//
// DEL works whatever is left: the handle may count too many, name blocks that are gone, or be
// gone itself while an address is still held (then this host's blocks are searched). Afterwards
// no address belongs to the handle in any block it named, and its document is gone.
// Source: spec calico-ipam-datastore.md 1.6, 2.8, 2.10, 7, 8.6; calico-v3.32.1.md 7, 10.
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

// Whose addresses a DEL releases.
struct ReleaseNames {
    std::string handle;  // "k8s-pod-network.<container id>"

    // What Calico v2 called it: "<namespace>.<pod>", or the container id. Looked for only when
    // `handle` has no document, or always when `legacy_always` says so; empty: never.
    std::string legacy;
    bool legacy_always = false;
};

// What a release reads first, as data for the caller's batch: the handles, and the configuration
// when `cooldown_s` is not known (hint.h).
std::vector<store::Query> release_queries(const ReleaseNames &names,
                                          std::optional<std::int64_t> cooldown_s);

struct ReleaseView {
    std::vector<store::Held<store::Handle>> handles;  // those that are there
    std::int64_t cooldown_s = 0;

    // Pools that select every node (hint.h). When a block of another one becomes empty, the pools
    // are read: if its pool does not select its node any more, the node gives it up.
    std::vector<Cidr> everywhere;
};

// The answers to release_queries() in their order. A configuration that is missing or may not be
// read means no cooldown. Errors: those of the store for a handle.
Result<ReleaseView> release_view_of(std::span<store::Found> found,
                                    std::optional<std::int64_t> cooldown_s);

struct Released {
    std::vector<IpAddr> addresses;
};

// Success also when there was nothing.
// `host` is this node: its blocks are searched when no handle was found; empty: no search.
// Errors: kTryAgain when the store was away or too busy; what is left is found by the next DEL.
Result<Released> release_handles(store::Store &store, const std::string &host,
                                 const ReleaseNames &names, ReleaseView view, Deadline deadline);

// release_queries(), read, release_handles().
Result<Released> release_by_handle(store::Store &store, const std::string &host,
                                   const ReleaseNames &names, Deadline deadline);

struct AddressRelease {
    IpAddr ip;
    std::string handle;                    // empty: whoever has it
    std::optional<std::int64_t> sequence;  // of the allocation meant; nullopt: any
    std::optional<Cidr> block;             // nullopt: found by the pools
};

struct AddressesReleased {
    std::vector<IpAddr> released;
    std::vector<IpAddr> unallocated;  // were free already, cooling, or in no block
};

// A wrong handle or sequence number fails everything that lies in the same block; other blocks are
// done. Handles are counted down and removed when empty.
// Errors: kConflict "the given sequence number (R) does not match (E) ...", kInvalidInput a wrong
// handle, kTryAgain.
Result<AddressesReleased> release_addresses(store::Store &store,
                                            std::span<const AddressRelease> releases,
                                            std::int64_t cooldown_s, Deadline deadline);

// Makes the document of a handle say what the blocks it names hold, or removes it. Never counts
// below what the blocks hold; a handle that just counts ahead of an allocation under way by a live
// process must not be given here.
Result<void> reconcile_handle(store::Store &store, const std::string &handle, Deadline deadline);

}  // namespace tortie::ipam
