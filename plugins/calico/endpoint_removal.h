// SPDX-License-Identifier: Apache-2.0
//
// Takes a container's endpoint out of the datastore, and no other one's: a pod of the same name
// that runs again must keep its own (Q14, Q21). Source: spec calico-cni.md 3.5, 3.9.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "calico/call.h"
#include "calico/datastore.h"
#include "store/store.h"

namespace tortie::calico_cni {

// Whose endpoint it is.
struct EndpointOwner {
    std::string node;
    std::string ns;
    std::string pod;  // empty: a container that is no pod
    std::string container_id;
};

class EndpointRemoval {
public:
    EndpointRemoval(EndpointOwner owner, bool endpoints_are_pods)
        : owner_(std::move(owner)), endpoints_are_pods_(endpoints_are_pods)
    {
    }

    // One query, to be read beside others; none for a container where endpoints are pods.
    std::vector<store::Query> queries() const;

    // The answer to it. Afterwards writes() are what is to be done, none when there is nothing of
    // this container. Errors: the endpoint could not be read.
    Result<> take(std::span<store::Found> found);

    const std::vector<store::Write> &writes() const { return writes_; }

    // What the writes came to. Those that somebody else was faster than are made again from what
    // is there now, five times. Errors: `error deleting endpoint: endpoint was modified before it
    // could be deleted: ...`; those of the store.
    Result<> finish(store::Store &store, store::Written written, Deadline deadline);

    const std::optional<kube::Pod> &pod() const { return pod_; }

private:
    void take_pod(store::Held<kube::Pod> pod);
    void take_endpoints(std::span<store::Held<store::Endpoint>> endpoints);
    void remove(store::Endpoint endpoint, store::Revision revision);

    EndpointOwner owner_;
    bool endpoints_are_pods_;
    std::optional<kube::Pod> pod_;
    std::vector<store::Write> writes_;
};

// All of the above by itself.
Result<> remove_endpoint(store::Store &store, const EndpointOwner &owner, Deadline deadline);

// Makes up to `most` releases that DELs have queued because this datastore was away.
// Where there are none it costs a look into a folder.
constexpr std::size_t kEverythingQueued = static_cast<std::size_t>(-1);
constexpr std::size_t kFewQueued = 8;  // what one ADD or DEL makes up for
void release_queued(const Call &call, const Datastore &datastore, std::size_t most);

}  // namespace tortie::calico_cni
