// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_verbs.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/scope_exit.h"
#include "calico/call.h"
#include "calico/coded.h"
#include "calico/datastore.h"
#include "calico/ipam_call.h"
#include "calico/ipam_handle.h"
#include "calico/ipam_release.h"
#include "calico/vm_persistence.h"
#include "calico/workload_name.h"
#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "ipam/owner_attributes.h"

namespace tortie::calico_cni {
namespace {

// What one call makes up for of earlier ones: it must not make a pod wait.
constexpr std::size_t kMostWaiting = 2;

Result<Datastore> datastore_of(const Call &call)
{
    TORTIE_TRY(Datastore datastore, open_datastore(call.conf, call.node));
    if (const auto name = calico::workload_name(call.ids()); !name)
        return fail(Error(name.error()).within("error constructing WorkloadEndpoint name"));
    return datastore;
}

// Pools may select namespaces. Only a cluster has any, and only a pod is in one.
bool needs_namespace(const Call &call, const Datastore &datastore)
{
    return call.is_pod() && !datastore.local &&
           (!call.conf.kubernetes.kubeconfig.empty() || call.conf.policy.type == "k8s");
}

calico::AddressRequest address_request(const Call &call)
{
    calico::AddressRequest wanted;
    wanted.network = call.request->network;
    wanted.container_id = call.request->container_id;
    wanted.ns = call.is_pod() ? call.ns : "";
    wanted.pod = call.pod;
    wanted.v4 = call.conf.ipam.assign_ipv4 != "false";
    wanted.v6 = call.conf.ipam.assign_ipv6 == "true";
    wanted.pools4 = call.conf.ipam.ipv4_pools;
    wanted.pools6 = call.conf.ipam.ipv6_pools;
    wanted.specific = call.requested_address;
    wanted.max_blocks = call.conf.single_windows_network ? 1 : 0;
    return wanted;
}

calico::ReleaseRequest release_request(const Call &call)
{
    calico::ReleaseRequest wanted;
    wanted.network = call.request->network;
    wanted.container_id = call.request->container_id;
    wanted.ns = call.is_pod() ? call.ns : "";
    wanted.pod = call.pod;
    wanted.legacy_always = true;
    return wanted;
}

Result<calico::Assigned> assign(const Call &call, const Datastore &datastore)
{
    store::Store &store = *datastore.store;
    calico::AddressCall source(datastore.site);
    std::vector<store::Query> queries;
    const bool with_namespace = needs_namespace(call, datastore);
    if (with_namespace)
        queries.emplace_back(store::Key(store::NamespaceKey{call.ns}));
    const std::size_t own = queries.size();
    for (store::Query &query : source.queries())
        queries.push_back(std::move(query));

    calico::AddressRequest wanted = address_request(call);
    if (!queries.empty()) {
        auto found = store.read(queries, call.deadline);
        source.take_view(std::span(found).subspan(own));
        if (with_namespace) {
            auto ns = store::one<kube::Namespace>(std::move(found[0]));
            if (!ns)
                return fail(std::move(ns).error().within("failed to get namespace " + call.ns));
            wanted.namespace_labels = std::move(ns->document.meta.labels);
        }
    }
    TORTIE_DO(go_on());
    return source.assign(store, wanted, call.deadline);
}

// One route for each address says to the main plugin that the host is to send traffic to it.
cni::CniResult result_of(const calico::Assigned &assigned)
{
    cni::CniResult result;
    for (const ipam::Address &address : assigned.addresses) {
        const Cidr cidr{.addr = address.ip, .prefix = address.prefix};
        result.ips.push_back({.address = cidr, .gateway = std::nullopt, .interface = std::nullopt});
        if (!assigned.host_routes)
            continue;
        cni::Route route;
        route.dst = cidr;
        result.routes.push_back(route);
    }
    return result;
}

Result<std::string> print(const calico::Assigned &assigned, const cni::Request &request)
{
    if (assigned.addresses.empty())
        log::info("neither IPv4 nor IPv6 addresses are asked for");
    return cni::print_result(result_of(assigned), request.cni_version);
}

// The release is made, or kept for when the datastore is back.
Result<> release_or_keep(const Call &call, const Datastore &datastore)
{
    calico::AddressRelease release(datastore.site, release_request(call));
    auto done = release.run(*datastore.store, {}, call.deadline);
    if (!done && done.error().kind() == ErrorKind::kTryAgain) {
        log::warn("addresses cannot be released now", {{"error", done.error().what()}});
        return release.queue_for_later({});
    }
    TORTIE_DO(std::move(done));
    calico::release_waiting(*datastore.store, datastore.site, kMostWaiting, {}, call.deadline);
    return {};
}

Result<> check_addresses(const Call &call, const Datastore &datastore,
                         const std::vector<IpAddr> &expected)
{
    if (expected.empty() || calico::may_be_vm(call.pod))
        return {};
    const std::string handle = calico::handle_id(call.request->network, call.request->container_id);
    const auto held = ipam::addresses_of_handle(*datastore.store, handle, call.deadline);
    if (!held && held.error().kind() != ErrorKind::kNotFound)
        return fail(held.error());
    for (const IpAddr &ip : expected) {
        const bool is_held =
            held && std::any_of(held->begin(), held->end(),
                                [&](const ipam::OwnedAddress &each) { return each.ip == ip; });
        if (!is_held)
            return fail(ErrorKind::kNotFound,
                        "the container does not hold the address " + ip.to_string());
    }
    return {};
}

}  // namespace

cni::Answer ipam_add(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    TORTIE_TRY(const Datastore datastore, coded(datastore_of(call)));
    TORTIE_TRY(const calico::Assigned assigned, coded(assign(call, datastore)));
    ScopeExit undo(
        [&] { calico::give_back(*datastore.store, datastore.site, assigned, call.deadline); });
    TORTIE_DO(coded(go_on()));
    TORTIE_TRY(std::string text, coded(print(assigned, request)));
    undo.dismiss();
    return text;
}

cni::Answer ipam_del(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    TORTIE_TRY(const Datastore datastore, coded(datastore_of(call)));
    TORTIE_DO(coded(release_or_keep(call, datastore)));
    return std::string();
}

cni::Answer ipam_check(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    TORTIE_TRY(const Datastore datastore, coded(datastore_of(call)));
    TORTIE_TRY(const auto previous,
               coded(cni::previous_result(request.config, request.cni_version)));
    std::vector<IpAddr> expected;
    if (previous) {
        for (const cni::IpConfig &ip : previous->ips)
            expected.push_back(ip.address.addr);
    }
    TORTIE_DO(coded(check_addresses(call, datastore, expected)));
    return std::string();
}

cni::Answer ipam_gc(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    TORTIE_TRY(const Datastore datastore, coded(open_datastore(call.conf, call.node)));
    TORTIE_TRY(const auto valid, coded(cni::valid_attachments(request.config)));
    if (valid) {
        std::vector<std::string> containers;
        for (const cni::ValidAttachment &attachment : *valid)
            containers.push_back(attachment.container_id);
        TORTIE_DO(coded(calico::collect_garbage(*datastore.store, datastore.site, request.network,
                                                containers, call.deadline)));
    }
    calico::release_waiting(*datastore.store, datastore.site, static_cast<std::size_t>(-1), {},
                            call.deadline);
    return std::string();
}

cni::Answer ipam_status(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    TORTIE_TRY(const Datastore datastore, coded(open_datastore(call.conf, call.node)));
    const store::Query query = store::ListPools{};
    const auto found = datastore.store->read({&query, 1}, call.deadline);
    if (!found.front())
        return tl::make_unexpected(
            cni::CniError(cni::Code::kNotAvailable, found.front().error().what()));
    return std::string();
}

}  // namespace tortie::calico_cni
