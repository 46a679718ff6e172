// SPDX-License-Identifier: Apache-2.0
#include "calico/verbs.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mac_addr.h"
#include "calico/call.h"
#include "calico/coded.h"
#include "calico/datastore.h"
#include "calico/endpoint.h"
#include "calico/endpoint_removal.h"
#include "calico/host_local_conf.h"
#include "calico/ipam_choice.h"
#include "calico/ipam_handle.h"
#include "calico/ipam_release.h"
#include "calico/node_files.h"
#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "datapath/host_ifname.h"
#include "datapath/pod_link.h"

namespace tortie::calico_cni {
namespace {

tl::unexpected<cni::CniError> differs(std::string what)
{
    return tl::make_unexpected(cni::CniError(cni::Code::kUnspecified, std::move(what)));
}

// ---- CHECK ---------------------------------------------------------------------------------

// The container's interface in the result.
const cni::Interface *interface_of(const Call &call, const cni::CniResult &result)
{
    const auto found = std::find_if(
        result.interfaces.begin(), result.interfaces.end(), [&](const cni::Interface &each) {
            return each.name == call.request->ifname && !each.sandbox.empty();
        });
    return found == result.interfaces.end() ? nullptr : &*found;
}

std::vector<IpAddr> addresses_in(const cni::CniResult &result)
{
    std::vector<IpAddr> addresses;
    for (const cni::IpConfig &ip : result.ips)
        addresses.push_back(ip.address.addr);
    return addresses;
}

Result<> check_link(const Call &call, const cni::CniResult &result)
{
    PodLinkRequest link;
    link.netns = call.request->netns;
    link.ifname = call.request->ifname;
    link.host_prefix = host_ifname_prefix(environment_variable("FELIX_INTERFACEPREFIX"));
    link.host_ifname = call.is_pod() ? host_ifname_of_pod(link.host_prefix, call.ns, call.pod)
                                     : host_ifname_of_container(call.request->container_id);
    link.addresses = addresses_in(result);
    link.allow_ip_forwarding = call.conf.allow_ip_forwarding;
    if (call.is_pod() && call.conf.ipam.type == kHostLocal) {
        TORTIE_TRY(auto routes, host_local_routes(call.request->config));
        if (!routes.empty() && !call.conf.include_default_routes)
            link.routes.clear();
        link.routes.insert(link.routes.end(), routes.begin(), routes.end());
    }
    const cni::Interface *interface = interface_of(call, result);
    if (interface == nullptr)
        return fail(ErrorKind::kInvalidInput,
                    "prevResult has no interface " + call.request->ifname + " in a sandbox");
    link.mtu_bytes = static_cast<std::uint32_t>(std::max<std::int64_t>(interface->mtu, 0));
    std::optional<EtherAddr> expected;
    const auto mac = parse_mac(interface->mac);
    if (mac && mac->size() == EtherAddr().size())
        std::copy(mac->begin(), mac->end(), expected.emplace().begin());
    return check_pod_link(link, expected);
}

// The endpoint is this container's, with all of the addresses.
tl::expected<void, cni::CniError> check_endpoint(const Call &call, const Datastore &datastore,
                                                 const std::vector<IpAddr> &addresses)
{
    store::Store &store = *datastore.store;
    EndpointRemoval endpoint({.node = call.node,
                              .ns = call.ns,
                              .pod = call.pod,
                              .container_id = call.request->container_id},
                             store.endpoints_are_pods());
    std::vector<store::Query> queries{store::Key(store::ClusterInformationKey{})};
    for (store::Query &query : endpoint.queries())
        queries.push_back(std::move(query));
    const std::size_t own = queries.size();
    if (call.conf.ipam.type == kCalicoIpam)
        queries.push_back(store::Key(store::HandleKey{
            .id = calico::handle_id(call.request->network, call.request->container_id)}));
    auto found = store.read(queries, call.deadline);
    const std::span<store::Found> answers(found);
    TORTIE_DO(coded(require_ready(std::move(answers[0]))));
    TORTIE_DO(coded(endpoint.take(answers.subspan(1, own - 1))));
    if (endpoint.writes().empty())
        return differs("the datastore has no endpoint of this container");
    const std::vector<IpAddr> held =
        endpoint.pod()
            ? calico::addresses_of(*endpoint.pod())
            : calico::addresses_of(std::get<store::Endpoint>(endpoint.writes().front().document));
    for (const IpAddr &ip : addresses) {
        if (std::find(held.begin(), held.end(), ip) == held.end())
            return differs("the endpoint of this container does not have " + ip.to_string());
    }
    if (own < answers.size() && !answers[own] &&
        answers[own].error().kind() == ErrorKind::kNotFound)
        log::warn("no handle has the addresses of this container");
    return {};
}

// ---- GC ------------------------------------------------------------------------------------

// Endpoints that are documents: whatever a container of ours has, pod or not.
Result<> remove_documents_of(const Call &call, store::Store &store,
                             const std::set<std::string> &containers)
{
    const store::Query query = store::ListEndpoints{};
    TORTIE_TRY(
        const auto endpoints,
        store::all<store::Endpoint>(std::move(store.read({&query, 1}, call.deadline).front())));
    for (const auto &[endpoint, revision] : endpoints) {
        if (endpoint.node != call.node || !containers.contains(endpoint.container_id))
            continue;
        TORTIE_DO(remove_endpoint(store,
                                  {.node = endpoint.node,
                                   .ns = endpoint.ns,
                                   .pod = endpoint.pod,
                                   .container_id = endpoint.container_id},
                                  call.deadline));
    }
    return {};
}

// Calico's role may not list pods: each is asked for by the name its addresses bore.
Result<> remove_endpoints_of(const Call &call, store::Store &store,
                             const std::vector<calico::Collected> &gone)
{
    std::set<std::string> containers;
    for (const calico::Collected &one : gone) {
        containers.insert(one.container_id);
        if (!store.endpoints_are_pods() || one.pod.empty())
            continue;
        TORTIE_DO(remove_endpoint(
            store,
            {.node = call.node, .ns = one.ns, .pod = one.pod, .container_id = one.container_id},
            call.deadline));
    }
    if (containers.empty() || store.endpoints_are_pods())
        return {};
    return remove_documents_of(call, store, containers);
}

tl::expected<void, cni::CniError> collect(const Call &call, const Datastore &datastore)
{
    TORTIE_TRY(const auto listed, coded(cni::valid_attachments(call.request->config)));
    if (!listed || !ipam_is_ours(call.conf.ipam.type, *call.request))
        return {};
    std::vector<std::string> valid;
    for (const cni::ValidAttachment &one : *listed)
        valid.push_back(one.container_id);
    TORTIE_TRY(const auto gone,
               coded(calico::collect_garbage(*datastore.store, datastore.site,
                                             call.request->network, valid, call.deadline)));
    for (const calico::Collected &one : gone)
        log::info("Released addresses of a container that is gone",
                  {{"Gone", one.container_id}, {"GonePod", one.ns + '/' + one.pod}});
    return coded(remove_endpoints_of(call, *datastore.store, gone));
}

Result<> read_readiness(const Call &call, const Datastore &datastore)
{
    const store::Query query = store::Key(store::ClusterInformationKey{});
    return require_ready(std::move(datastore.store->read({&query, 1}, call.deadline).front()));
}

}  // namespace

cni::Answer check(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    TORTIE_TRY(const auto previous,
               coded(cni::previous_result(request.config, request.cni_version)));
    if (!previous)
        return differs("Required prevResult missing");
    TORTIE_DO(coded(check_link(call, *previous)));
    TORTIE_TRY(const Datastore datastore, coded(open_datastore(call.conf, call.node)));
    TORTIE_DO(check_endpoint(call, datastore, addresses_in(*previous)));
    return std::string();
}

cni::Answer gc(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    TORTIE_TRY(const Datastore datastore, coded(open_datastore(call.conf, call.node)));
    TORTIE_DO(coded(read_readiness(call, datastore)));
    release_queued(call, datastore, kEverythingQueued);
    TORTIE_DO(collect(call, datastore));
    return std::string();
}

cni::Answer status(const cni::Request &request)
{
    const auto unavailable = [](const std::string &why) {
        return tl::make_unexpected(cni::CniError(cni::Code::kNotAvailable, why));
    };
    TORTIE_TRY(const Call call, read_call(request));
    if (!call.conf.nodename_file_optional) {
        if (const auto there = calico::require_nodename_file(call.conf.nodename_file); !there)
            return unavailable(there.error().what());
    }
    const auto datastore = open_datastore(call.conf, call.node);
    if (!datastore)
        return unavailable(datastore.error().what());
    if (const auto ready = read_readiness(call, *datastore); !ready)
        return unavailable(ready.error().what());
    return std::string();
}

}  // namespace tortie::calico_cni
