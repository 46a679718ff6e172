// SPDX-License-Identifier: Apache-2.0
//
// What ADD reads before it changes anything: one batch, one round trip, with the queries of the
// IPAM behind it. Source: spec calico-cni.md 3.1 steps 9 and 11, 3.2 step 5, 3.4.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "calico/call.h"
#include "calico/datastore.h"
#include "kube/objects.h"
#include "store/store.h"

namespace tortie::calico_cni {

struct AddFacts {
    // Of Kubernetes, or, without a cluster, what the runtime says; nullopt for a container and
    // where nobody needs it.
    std::optional<kube::Pod> pod;
    kube::StringMap ns_annotations;
    kube::StringMap ns_labels;
    std::vector<std::string> pod_cidrs;  // of the node, when host-local's configuration wants them

    // The workload's endpoint of an earlier container or interface. Where endpoints are pods it is
    // the pod's: `endpoint` and `ip_networks` say nothing then.
    std::optional<store::Held<store::Endpoint>> existing;
    bool profile_missing = false;  // of the network, where it manages its own
};

// Whose pod CIDRs host-local is to use: `kubernetes.node_name`, else this node.
std::string pod_cidr_node(const Call &call);

class AddReads {
public:
    AddReads(const Call &call, const Datastore &datastore, bool wants_node);

    const std::vector<store::Query> &queries() const { return queries_; }

    // `found` has at least as many answers, in their order. Errors: the first one in the order in
    // which Calico asks, with its text.
    Result<AddFacts> facts(std::span<store::Found> found) const;

private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    std::size_t add(store::Query query);
    Result<> take_pod(std::span<store::Found> found, AddFacts &facts) const;
    Result<> take_endpoint(std::span<store::Found> found, AddFacts &facts) const;
    Result<> check_uid(const kube::Pod &pod) const;

    const Call *call_;
    bool endpoints_are_pods_;
    bool local_;
    std::vector<store::Query> queries_;
    std::size_t ready_ = kNone;  // where each stands in the batch
    std::size_t pod_ = kNone;
    std::size_t ns_ = kNone;
    std::size_t endpoints_ = kNone;
    std::size_t node_ = kNone;
    std::size_t profile_ = kNone;
};

}  // namespace tortie::calico_cni
