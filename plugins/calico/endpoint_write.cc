// SPDX-License-Identifier: Apache-2.0
#include "calico/endpoint_write.h"

#include <optional>
#include <utility>

#include "calico/endpoint.h"
#include "calico/mesos_labels.h"
#include "calico/network_profile.h"

namespace tortie::calico_cni {
namespace {

constexpr std::string_view kNamespaceLabel = "projectcalico.org/namespace";
constexpr const char *kPodInterface = "eth0";  // of every endpoint that is a pod

// The interface that the name holds: of the endpoint that is there, else the one we make.
std::string endpoint_interface(const Call &call, const AddFacts &facts)
{
    if (facts.existing)
        return facts.existing->document.endpoint;
    const bool is_the_pods = facts.pod && facts.pod->node_name == call.node;
    return call.is_pod() && is_the_pods ? kPodInterface : call.request->ifname;
}

void describe_container(const Call &call, store::Endpoint &endpoint)
{
    kube::StringMap labels;
    for (const auto &[key, value] : call.conf.mesos_labels) {
        if (key == kNamespaceLabel)
            endpoint.ns = calico::sanitised_mesos_label(value);
        else
            labels.insert_or_assign(calico::sanitised_mesos_label(key),
                                    calico::sanitised_mesos_label(value));
    }
    endpoint.labels = calico::endpoint_labels(endpoint.ns, endpoint.orchestrator);
    endpoint.labels.merge(labels);
}

bool same_attachment(const store::Endpoint &stored, const store::Endpoint &ours)
{
    return stored.container_id == ours.container_id && stored.ip_networks == ours.ip_networks &&
           stored.interface_name == ours.interface_name && stored.mac == ours.mac;
}

// Whether a write whose answer was lost took effect.
Result<> look_up(const Call &call, const Datastore &datastore, const store::Endpoint &endpoint,
                 const Error &lost)
{
    store::Store &store = *datastore.store;
    bool written = false;
    if (store.endpoints_are_pods()) {
        TORTIE_TRY(const auto pod,
                   store::get<kube::Pod>(store, store::PodKey{.ns = call.ns, .name = call.pod},
                                         call.deadline));
        written = calico::container_of(pod.document) == endpoint.container_id &&
                  calico::annotated_addresses(pod.document) == endpoint.ip_networks;
    } else {
        TORTIE_TRY(const auto stored,
                   store::get<store::Endpoint>(
                       store, store::EndpointKey{.ns = endpoint.ns, .name = endpoint.name},
                       call.deadline));
        written = same_attachment(stored.document, endpoint);
    }
    if (written)
        return {};
    return fail(Error(ErrorKind::kTryAgain, lost.what()));
}

Result<> store_profile(const Call &call, const Datastore &datastore)
{
    const std::string &network = call.request->network;
    const store::Write write{.op = store::Op::kCreate,
                             .key = store::ProfileKey{.name = network},
                             .document = calico::network_profile(network, call.is_pod()),
                             .expected = {},
                             .stage = 0};
    auto written = std::move(datastore.store->commit({&write, 1}, call.deadline).front());
    const bool there = written || written.error().kind() == ErrorKind::kExists ||
                       written.error().kind() == ErrorKind::kUnknownOutcome;
    if (there)
        return {};
    return fail(std::move(written).error());
}

}  // namespace

Result<store::Endpoint> new_endpoint(const Call &call, const AddFacts &facts,
                                     const std::string &host_ifname)
{
    store::Endpoint endpoint;
    if (facts.existing)
        endpoint = facts.existing->document;
    calico::WorkloadIds ids = call.ids();
    ids.endpoint = endpoint_interface(call, facts);
    auto name = calico::workload_name(ids);
    if (!name)
        return fail(std::move(name).error().within("error constructing WorkloadEndpoint name"));
    endpoint.name = *std::move(name);
    endpoint.ns = call.ns;
    endpoint.orchestrator = ids.orchestrator;
    endpoint.node = ids.node;
    endpoint.endpoint = ids.endpoint;
    endpoint.pod = ids.pod;
    endpoint.container_id = ids.container_id;
    endpoint.interface_name = host_ifname;
    endpoint.profiles = {call.request->network};
    if (call.has_pod_policy() && facts.pod)
        calico::describe_pod(*facts.pod, endpoint);
    else if (call.is_pod())
        endpoint.labels = calico::endpoint_labels(call.ns, ids.orchestrator);
    else
        describe_container(call, endpoint);
    return endpoint;
}

Result<> store_endpoint(const Call &call, const Datastore &datastore, const AddFacts &facts,
                        const store::Endpoint &endpoint)
{
    if (facts.profile_missing)
        TORTIE_DO(store_profile(call, datastore));
    store::Write write{.op = store::Op::kCreate,
                       .key = store::EndpointKey{.ns = endpoint.ns, .name = endpoint.name},
                       .document = endpoint,
                       .expected = {},
                       .stage = 0};
    if (datastore.store->endpoints_are_pods()) {
        // kubelet writes the same status all the time: only the pod's identity is compared (Q7).
        write.op = store::Op::kUpdate;
        write.expected.uid = facts.pod->meta.uid;
    } else if (facts.existing) {
        write.op = store::Op::kUpdate;
        write.expected = facts.existing->revision;
    }
    auto written = std::move(datastore.store->commit({&write, 1}, call.deadline).front());
    if (written)
        return {};
    Error error = std::move(written).error();
    if (error.kind() == ErrorKind::kUnknownOutcome)
        return look_up(call, datastore, endpoint, error);
    if (error.kind() == ErrorKind::kNotFound || error.kind() == ErrorKind::kExists)
        return fail(ErrorKind::kTryAgain, error.what());
    return fail(std::move(error));
}

}  // namespace tortie::calico_cni
