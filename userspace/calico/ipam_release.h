// SPDX-License-Identifier: Apache-2.0
//
// Giving back what a container has from Calico's IPAM: the DEL side of ipam_call.h.
//
//   AddressRelease release(site, request);
//   found = store.read(mine + release.queries(), deadline);
//   auto done = release.run(store, found behind mine, deadline);
//   if (!done && done.error().kind() == ErrorKind::kTryAgain)      the datastore is away
//       done = release.queue_for_later(endpoint);                  and DEL succeeds
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "calico/ipam_site.h"
#include "calico/release_queue.h"
#include "ipam/hint.h"
#include "ipam/release.h"
#include "kube/objects.h"
#include "store/store.h"

namespace tortie::calico {

struct ReleaseRequest {
    std::string network;
    std::string container_id;
    std::string ns;   // of the pod; empty when there is none
    std::string pod;  // empty: a container without pod

    // Look for what Calico v2 wrote even where the container's own handle is found: costs a
    // request. Otherwise only where it is not.
    bool legacy_always = false;

    std::optional<kube::Pod> pod_read;  // spares a read for a virtual machine's pod
};

// What is to be cleared besides addresses, when a release is queued. Empty: nothing.
struct QueuedEndpoint {
    std::string ns;
    std::string name;
    std::string pod;
};

class AddressRelease {
public:
    AddressRelease(IpamSite site, ReleaseRequest request);

    // To be read beside the caller's own.
    std::vector<store::Query> queries() const;

    // With the answers to queries(), or with none: then they are read here. Afterwards the
    // container holds nothing; success also when it held nothing, and any number of times.
    // Errors: kTryAgain the store was away, or somebody holds the lock; `failed to get VMI info:`.
    Result<> run(store::Store &store, std::span<store::Found> found, Deadline deadline);

    // Errors: it is not on the disk, and DEL must fail.
    Result<> queue_for_later(const QueuedEndpoint &endpoint) const;

private:
    void remember_cooldown(std::int64_t cooldown_s) const;

    IpamSite site_;
    ReleaseRequest request_;
    ipam::ReleaseNames names_;
    ipam::Hint hint_;
    std::optional<std::int64_t> cooldown_s_;
};

// What an ADD does first: releases that wait for its container are made.
Result<> release_before_add(store::Store &store, const IpamSite &site, const std::string &network,
                            const std::string &container_id, Deadline deadline);

// Up to `most` releases that wait for this datastore. `clear_endpoint` does what a QueuedEndpoint
// asks; without it entries that have one are left for somebody who can. Their number.
using ClearEndpoint = std::function<Result<>(const PendingRelease &)>;
std::size_t release_waiting(store::Store &store, const IpamSite &site, std::size_t most,
                            const ClearEndpoint &clear_endpoint, Deadline deadline);

// A container whose addresses were released because the runtime has it no longer.
struct Collected {
    std::string container_id;
    std::string ns;   // of its pod, as its addresses' records name it
    std::string pod;  // empty: a container without pod
};

// The runtime still has the containers `valid` of this network, and no others: what others hold on
// this node is released. Machines, tunnels and other networks are not touched.
Result<std::vector<Collected>> collect_garbage(store::Store &store, const IpamSite &site,
                                               const std::string &network,
                                               std::span<const std::string> valid,
                                               Deadline deadline);

}  // namespace tortie::calico
