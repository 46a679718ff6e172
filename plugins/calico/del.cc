// SPDX-License-Identifier: Apache-2.0
#include "calico/del.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "calico/beside.h"
#include "calico/call.h"
#include "calico/coded.h"
#include "calico/datastore.h"
#include "calico/delegated_conf.h"
#include "calico/endpoint_removal.h"
#include "calico/ipam_choice.h"
#include "calico/ipam_release.h"
#include "calico/workload_name.h"
#include "cni/delegate.h"
#include "datapath/pod_link.h"

namespace tortie::calico_cni {
namespace {

bool is_away(const Error &error)
{
    return error.kind() == ErrorKind::kTryAgain || error.kind() == ErrorKind::kUnknownOutcome;
}

class Removal {
public:
    Removal(const Call &call, const Datastore &datastore)
        : call_(call),
          datastore_(datastore),
          in_process_(ipam_is_ours(call.conf.ipam.type, *call.request)),
          endpoint_(EndpointOwner{.node = call.node,
                                  .ns = call.ns,
                                  .pod = call.pod,
                                  .container_id = call.request->container_id},
                    datastore.store->endpoints_are_pods())
    {
    }

    cni::Answer run()
    {
        std::vector<store::Query> queries{store::Key(store::ClusterInformationKey{})};
        append(queries, endpoint_.queries());
        const std::size_t own = queries.size();
        calico::AddressRelease release(datastore_.site, release_request());
        if (in_process_)
            append(queries, release.queries());
        auto found = datastore_.store->read(queries, call_.deadline);
        const std::span<store::Found> answers(found);

        bool away = !answers[0] && is_away(answers[0].error());
        if (!away)
            TORTIE_DO(coded(require_ready(std::move(answers[0]))));
        auto endpoint = away ? Result<>() : endpoint_.take(answers.subspan(1, own - 1));
        away = away || (!endpoint && is_away(endpoint.error()));
        if (!away)
            TORTIE_DO(coded(std::move(endpoint)));  // protects an endpoint that lives

        TORTIE_DO(coded(remove_pod_link(call_.request->netns, call_.request->ifname)));
        if (!in_process_)
            TORTIE_DO(run_ipam());
        if (away)
            return later(release,
                         answers[0] ? "the endpoint could not be read" : answers[0].error().what());
        return finish(release, answers.subspan(own));
    }

private:
    static void append(std::vector<store::Query> &to, std::vector<store::Query> from)
    {
        for (store::Query &query : from)
            to.push_back(std::move(query));
    }

    calico::ReleaseRequest release_request() const
    {
        return {.network = call_.request->network,
                .container_id = call_.request->container_id,
                .ns = call_.is_pod() ? call_.ns : "",
                .pod = call_.pod,
                .legacy_always = false,
                .pod_read = {}};
    }

    tl::expected<void, cni::CniError> run_ipam() const
    {
        if (call_.conf.ipam.type.empty())
            return tl::make_unexpected(
                cni::CniError(cni::Code::kInvalidConfiguration, "no plugin name provided"));
        TORTIE_TRY(const auto request, coded(delegated_del(call_)));
        if (!request)
            return {};
        TORTIE_DO(cni::delegate(call_.conf.ipam.type, "DEL", *request, child_environment(call_)));
        if (call_.conf.ipam.type == kAzureIpam)
            forget_azure(call_);
        return {};
    }

    // The addresses, and the endpoint beside the first read that needs.
    cni::Answer finish(calico::AddressRelease &release, std::span<store::Found> found)
    {
        Beside store(*datastore_.store, endpoint_.writes());
        const auto released = in_process_ ? release.run(store, found, call_.deadline) : Result<>();
        const auto removed =
            endpoint_.finish(*datastore_.store, store.written(call_.deadline), call_.deadline);
        if ((!released && is_away(released.error())) || (!removed && is_away(removed.error())))
            return later(release, released ? removed.error().what() : released.error().what());
        TORTIE_DO(coded(removed));
        TORTIE_DO(coded(released));
        release_queued(call_, datastore_, kFewQueued);
        return std::string();
    }

    cni::Answer later(const calico::AddressRelease &release, const std::string &why) const
    {
        calico::WorkloadIds ids = call_.ids();
        if (datastore_.store->endpoints_are_pods())
            ids.endpoint = "eth0";
        const calico::QueuedEndpoint endpoint{
            .ns = call_.ns, .name = calico::workload_name(ids).value_or(""), .pod = call_.pod};
        TORTIE_DO(coded(release.queue_for_later(endpoint)));
        log::warn("The datastore cannot be reached; what is to be released there is queued",
                  {{"error", why}});
        return std::string();
    }

    const Call &call_;
    const Datastore &datastore_;
    bool in_process_;
    EndpointRemoval endpoint_;
};

}  // namespace

cni::Answer del(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    auto datastore = open_datastore(call.conf, call.node);
    if (!datastore) {
        // Whatever is wrong with the datastore's configuration, the node's side is the container's.
        TORTIE_DO(coded(remove_pod_link(request.netns, request.ifname)));
        return tl::make_unexpected(failure(datastore.error()));
    }
    if (datastore->store->endpoints_are_pods() && !call.is_pod())
        return tl::make_unexpected(
            cni::CniError(cni::Code::kInvalidConfiguration,
                          "malformed WorkloadEndpoint name - unable to determine Pod name"));
    return Removal(call, *datastore).run();
}

}  // namespace tortie::calico_cni
