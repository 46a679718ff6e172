// SPDX-License-Identifier: Apache-2.0
#include "calico/endpoint_removal.h"

#include <utility>

#include "base/log.h"
#include "calico/endpoint.h"
#include "calico/ipam_release.h"
#include "calico/workload_name.h"

namespace tortie::calico_cni {
namespace {

constexpr int kMostAttempts = 6;

calico::WorkloadIds ids_of(const EndpointOwner &owner)
{
    return {
        .node = owner.node,
        .orchestrator = std::string(owner.pod.empty() ? calico::kPlainCni : calico::kKubernetes),
        .workload = {},
        .pod = owner.pod,
        .container_id = owner.container_id,
        .endpoint = {}};
}

void warn_missing()
{
    log::warn("WorkloadEndpoint does not exist in the datastore, moving forward with the clean up");
}

void warn_of_another(std::string_view container_id)
{
    log::warn("CNI_CONTAINERID does not match WorkloadEndpoint ContainerID, don't delete WEP.",
              {{"WorkloadEndpointContainerID", container_id}});
}

}  // namespace

std::vector<store::Query> EndpointRemoval::queries() const
{
    if (endpoints_are_pods_ && owner_.pod.empty())
        return {};
    if (endpoints_are_pods_)
        return {store::Key(store::PodKey{.ns = owner_.ns, .name = owner_.pod})};
    // What has no prefix cannot have been stored.
    return {store::ListEndpoints{
        .ns = owner_.ns,
        .name_prefix = calico::workload_name_prefix(ids_of(owner_)).value_or("-")}};
}

void EndpointRemoval::remove(store::Endpoint endpoint, store::Revision revision)
{
    const store::EndpointKey key{.ns = endpoint.ns, .name = endpoint.name};
    writes_.push_back({.op = store::Op::kDelete,
                       .key = key,
                       .document = std::move(endpoint),
                       .expected = std::move(revision),
                       .stage = 0});
}

void EndpointRemoval::take_pod(store::Held<kube::Pod> pod)
{
    pod_ = std::move(pod.document);
    const std::string container_id = calico::container_of(*pod_);
    if (!calico::has_endpoint(*pod_) || pod_->node_name != owner_.node)
        return warn_missing();
    if (container_id != owner_.container_id)
        return warn_of_another(container_id);
    calico::WorkloadIds ids = ids_of(owner_);
    ids.endpoint = "eth0";
    store::Endpoint endpoint;
    endpoint.ns = owner_.ns;
    endpoint.pod = owner_.pod;
    endpoint.node = owner_.node;
    endpoint.orchestrator = ids.orchestrator;
    endpoint.endpoint = ids.endpoint;
    endpoint.container_id = container_id;
    endpoint.name = calico::workload_name(ids).value_or("");
    remove(std::move(endpoint), std::move(pod.revision));
}

void EndpointRemoval::take_endpoints(std::span<store::Held<store::Endpoint>> endpoints)
{
    const calico::WorkloadIds ids = ids_of(owner_);
    bool any = false;
    for (auto &[document, revision] : endpoints) {
        if (!calico::matches(ids, document.name).value_or(false))
            continue;
        any = true;
        if (document.container_id == owner_.container_id)
            remove(std::move(document), std::move(revision));
        else
            warn_of_another(document.container_id);
    }
    if (!any)
        warn_missing();
}

Result<> EndpointRemoval::take(std::span<store::Found> found)
{
    writes_.clear();
    if (found.empty())
        return {};
    if (!found.front() && found.front().error().kind() == ErrorKind::kNotFound) {
        warn_missing();
        return {};
    }
    if (endpoints_are_pods_) {
        TORTIE_TRY(auto pod, store::one<kube::Pod>(std::move(found.front())));
        take_pod(std::move(pod));
        return {};
    }
    TORTIE_TRY(auto endpoints, store::all<store::Endpoint>(std::move(found.front())));
    take_endpoints(endpoints);
    return {};
}

Result<> EndpointRemoval::finish(store::Store &store, store::Written written, Deadline deadline)
{
    for (int attempt = 1;; ++attempt) {
        std::optional<Error> changed;
        for (const auto &each : written) {
            if (each || each.error().kind() == ErrorKind::kNotFound)
                continue;
            const ErrorKind kind = each.error().kind();
            const bool look_again = kind == ErrorKind::kConflict ||
                                    kind == ErrorKind::kUnknownOutcome ||
                                    kind == ErrorKind::kNotAttempted;
            if (!look_again)
                return fail(each.error());
            changed = each.error();
        }
        if (!changed)
            return {};
        if (attempt == kMostAttempts)
            return fail(std::move(*changed).within(
                "error deleting endpoint: endpoint was modified before it could be deleted"));
        const std::vector<store::Query> queries = this->queries();
        std::vector<store::Found> found = store.read(queries, deadline);
        TORTIE_DO(take(found));
        written = store.commit(writes_, deadline);
    }
}

Result<> remove_endpoint(store::Store &store, const EndpointOwner &owner, Deadline deadline)
{
    EndpointRemoval removal(owner, store.endpoints_are_pods());
    const std::vector<store::Query> queries = removal.queries();
    std::vector<store::Found> found = store.read(queries, deadline);
    TORTIE_DO(removal.take(found));
    return removal.finish(store, store.commit(removal.writes(), deadline), deadline);
}

void release_queued(const Call &call, const Datastore &datastore, std::size_t most)
{
    store::Store &store = *datastore.store;
    const auto clear = [&](const calico::PendingRelease &entry) {
        return remove_endpoint(store,
                               {.node = entry.node,
                                .ns = entry.endpoint_ns,
                                .pod = entry.pod,
                                .container_id = entry.container_id},
                               call.deadline);
    };
    calico::release_waiting(store, datastore.site, most, clear, call.deadline);
}

}  // namespace tortie::calico_cni
