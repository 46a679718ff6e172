// SPDX-License-Identifier: Apache-2.0
//
// Releases that a DEL could not make because the datastore was away. DEL takes the node's side
// down, stores here what is left to do, and succeeds; a later call or GC makes up for it.
//
//   Never lost    an entry is on the disk (synced) before DEL succeeds, and goes only after its
//                 release has succeeded.
//   Never twice   one process settles at a time (flock on `settling`), and a release by handle
//                 does nothing the second time: a kill between release and removal is harmless.
//   Never for a container that was added again: an ADD settles what stands for its container
//   before it allocates (settle_container), waiting for a settler that is at it. So an entry is
//   older than every address that its container has got since, and who settles compares:
//   `queued_at` against the addresses' timestamps (for the days when Go's plugin did that ADD).
//   A DEL that is queued while the same container is settled is either overwritten by nothing
//   (stored later) or settled with it: no ADD of it can have come between.
//
// One file an entry, named by a hash of datastore, network and container: a repeated DEL replaces
// it. A file that is no whole record is set aside as <name>.corrupt, with a warning.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"

namespace tortie::calico {

constexpr const char *kReleaseQueueFolder = "/var/lib/tortie/queue";

struct PendingRelease {
    std::string store;  // which datastore: releases go nowhere else
    std::string network;
    std::string container_id;
    std::string node;
    std::vector<std::string> handles;
    std::string queued_at;  // in the form of the attribute `timestamp` (ipam_handle.h)

    // The endpoint to clear, empty for none: its namespace and name, and the pod it stands for.
    std::string endpoint_ns;
    std::string endpoint;
    std::string pod;
};

class ReleaseQueue {
public:
    // What makes the release; success means that nothing of the entry is left in the datastore.
    using Release = std::function<Result<>(const PendingRelease &)>;

    explicit ReleaseQueue(std::string folder = kReleaseQueueFolder) : folder_(std::move(folder)) {}

    // Errors: the entry is not stored, and DEL must fail.
    Result<> add(const PendingRelease &entry) const;

    // For ADD, before it allocates: afterwards nothing stands for the container. Costs one system
    // call when nothing did.
    // Errors: those of `release`; kTryAgain when another settler is not done by the deadline.
    Result<> settle_container(const std::string &store, const std::string &network,
                              const std::string &container_id, const Release &release,
                              Deadline deadline) const;

    // Makes up to `most` releases of that datastore, unless somebody else is at it, and gives their
    // number. Entries whose release fails stay; after a passing failure (kTryAgain) it stops.
    std::size_t settle(const std::string &store, std::size_t most, const Release &release,
                       Deadline deadline) const;

    // Every entry, of every datastore.
    std::vector<PendingRelease> list() const;

    // How many those are; none of them is opened. 0 when there is no such folder.
    std::size_t count() const;

private:
    std::string path_of(const std::string &store, const std::string &network,
                        const std::string &container_id) const;
    Result<> settle_file(const std::string &path, const Release &release) const;

    std::string folder_;
};

}  // namespace tortie::calico
