// SPDX-License-Identifier: Apache-2.0
#include "calico/add_facts.h"

#include <utility>

#include "base/log.h"
#include "calico/workload_name.h"

namespace tortie::calico_cni {
namespace {

std::string annotation(const kube::Pod &pod, const char *name)
{
    const auto found = pod.meta.annotations.find(name);
    return found == pod.meta.annotations.end() ? "" : found->second;
}

// Without a cluster: the runtime names the pod, and hands over its annotations as a capability.
kube::Pod pod_of_runtime(const Call &call)
{
    kube::Pod pod;
    pod.meta.name = call.pod;
    pod.meta.ns = call.ns;
    pod.meta.uid = call.pod_uid;
    pod.meta.annotations.insert(call.conf.pod_annotations.begin(), call.conf.pod_annotations.end());
    pod.node_name = call.node;
    return pod;
}

}  // namespace

std::string pod_cidr_node(const Call &call)
{
    const std::string &named = call.conf.kubernetes.node_name;
    return named.empty() ? call.node : named;
}

AddReads::AddReads(const Call &call, const Datastore &datastore, bool wants_node)
    : call_(&call),
      endpoints_are_pods_(datastore.store->endpoints_are_pods()),
      local_(datastore.local)
{
    ready_ = add(store::Key(store::ClusterInformationKey{}));
    const bool wants_pod = call.is_pod() && (endpoints_are_pods_ || call.has_pod_policy());
    if (wants_pod && !local_)
        pod_ = add(store::Key(store::PodKey{.ns = call.ns, .name = call.pod}));
    if (call.has_pod_policy() && !local_)
        ns_ = add(store::Key(store::NamespaceKey{.name = call.ns}));
    if (!endpoints_are_pods_) {
        calico::WorkloadIds ids = call.ids();
        ids.endpoint.clear();
        // What has no prefix has no name either; that is told when the name is made.
        endpoints_ = add(store::ListEndpoints{
            .ns = call.ns, .name_prefix = calico::workload_name_prefix(ids).value_or("-")});
    }
    if (wants_node)
        node_ = add(store::Key(store::NodeKey{.name = pod_cidr_node(call)}));
    if (call.conf.policy.type.empty() && !endpoints_are_pods_)
        profile_ = add(store::Key(store::ProfileKey{.name = call.request->network}));
}

std::size_t AddReads::add(store::Query query)
{
    queries_.push_back(std::move(query));
    return queries_.size() - 1;
}

// A pod of the same name that was made anew must not get the addresses of this call (Q7). The
// runtime knows a static pod by the hash of its manifest; its object is a mirror with a UID of its
// own.
Result<> AddReads::check_uid(const kube::Pod &pod) const
{
    if (call_->pod_uid.empty())
        return {};
    const bool mirror = !annotation(pod, "kubernetes.io/config.mirror").empty();
    const std::string uid = mirror ? annotation(pod, "kubernetes.io/config.hash") : pod.meta.uid;
    if (uid == call_->pod_uid)
        return {};
    return fail(ErrorKind::kTryAgain, "pod " + call_->ns + '/' + call_->pod + " has UID " + uid +
                                          " now, and not " + call_->pod_uid);
}

Result<> AddReads::take_pod(std::span<store::Found> found, AddFacts &facts) const
{
    if (local_ && call_->is_pod())
        facts.pod = pod_of_runtime(*call_);
    if (ns_ != kNone) {
        TORTIE_TRY(auto ns, store::one<kube::Namespace>(std::move(found[ns_])));
        facts.ns_annotations = std::move(ns.document.meta.annotations);
        facts.ns_labels = std::move(ns.document.meta.labels);
    }
    if (pod_ == kNone)
        return {};
    TORTIE_TRY(auto pod, store::one<kube::Pod>(std::move(found[pod_])));
    TORTIE_DO(check_uid(pod.document));
    facts.pod = std::move(pod.document);
    return {};
}

Result<> AddReads::take_endpoint(std::span<store::Found> found, AddFacts &facts) const
{
    if (endpoints_ == kNone)
        return {};
    calico::WorkloadIds ids = call_->ids();
    ids.endpoint.clear();
    TORTIE_TRY(auto endpoints, store::all<store::Endpoint>(std::move(found[endpoints_])));
    for (auto &endpoint : endpoints) {
        TORTIE_TRY(const bool ours, calico::matches(ids, endpoint.document.name));
        if (!ours)
            continue;
        log::info("Calico CNI found existing endpoint: " + endpoint.document.name);
        facts.existing = std::move(endpoint);
        return {};
    }
    return {};
}

Result<AddFacts> AddReads::facts(std::span<store::Found> found) const
{
    AddFacts facts;
    TORTIE_DO(require_ready(std::move(found[ready_])));
    TORTIE_DO(take_endpoint(found, facts));
    TORTIE_DO(take_pod(found, facts));
    if (node_ != kNone) {
        TORTIE_TRY(auto node, store::one<store::Node>(std::move(found[node_])));
        facts.pod_cidrs = std::move(node.document.pod_cidrs);
    }
    if (profile_ != kNone) {
        const store::Found &profile = found[profile_];
        if (!profile && profile.error().kind() != ErrorKind::kNotFound)
            return fail(profile.error());
        facts.profile_missing = !profile;
    }
    return facts;
}

}  // namespace tortie::calico_cni
