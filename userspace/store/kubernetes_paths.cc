// SPDX-License-Identifier: Apache-2.0
#include "store/kubernetes_paths.h"

#include "http/url.h"
#include "kube/client.h"
#include "store/names.h"

namespace tortie::store {
namespace {

// As client-go asks for (spec 3.6).
constexpr const char *kPageLimit = "limit=500";

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string group_path(Spelling spelling)
{
    return spelling == Spelling::kCrdV3 ? "/apis/projectcalico.org/v3/"
                                        : "/apis/crd.projectcalico.org/v1/";
}

std::string kubevirt_path(const std::string &ns, const char *plural)
{
    return "/apis/kubevirt.io/v1/namespaces/" + http::percent_encoded(ns) + '/' + plural;
}

tl::unexpected<Error> no_object(std::string what)
{
    return fail(ErrorKind::kUnsupported, std::move(what) + " is no object of Kubernetes");
}

std::string labels_selector(const std::string &selector)
{
    return "?labelSelector=" + http::percent_encoded(selector);
}

}  // namespace

Result<std::string> collection_path(const Key &key, Spelling spelling)
{
    using Path = Result<std::string>;
    const std::string group = group_path(spelling);
    const bool v3 = spelling == Spelling::kCrdV3;
    return std::visit(
        Overloaded{
            [&](const BlockKey &) -> Path { return group + "ipamblocks"; },
            [&](const AffinityKey &) -> Path { return group + "blockaffinities"; },
            [&](const HandleKey &) -> Path { return group + "ipamhandles"; },
            [&](const IpamConfigKey &) -> Path {
                return group + (v3 ? "ipamconfigurations" : "ipamconfigs");
            },
            [&](const PoolKey &) -> Path { return group + "ippools"; },
            [&](const ReservationKey &) -> Path { return group + "ipreservations"; },
            [&](const ClusterInformationKey &) -> Path { return group + "clusterinformations"; },
            [](const NodeKey &) -> Path { return "/api/v1/nodes"; },
            [](const PodKey &pod) -> Path { return kube::namespace_path(pod.ns) + "/pods"; },
            [](const NamespaceKey &) -> Path { return "/api/v1/namespaces"; },
            [](const VmiKey &vmi) -> Path {
                return kubevirt_path(vmi.ns, "virtualmachineinstances");
            },
            [](const VmKey &vm) -> Path { return kubevirt_path(vm.ns, "virtualmachines"); },
            [&](const EndpointKey &) -> Path { return no_object(describe(key)); },
            [&](const ProfileKey &) -> Path { return no_object(describe(key)); },
        },
        key);
}

Result<std::string> object_path(const Key &key, Spelling spelling)
{
    TORTIE_TRY(const std::string collection, collection_path(key, spelling));
    const std::string name = kube_name(key);
    // An empty name would be the whole collection.
    if (name.empty())
        return fail(ErrorKind::kInvalidInput, "resource name may not be empty");
    return collection + '/' + http::percent_encoded(name);
}

Result<std::string> list_path(const Query &list, Spelling spelling)
{
    using Path = Result<std::string>;
    const std::string group = group_path(spelling);
    return std::visit(
        Overloaded{
            [&](const Key &key) -> Path { return no_object(describe(key)); },
            [&](const ListBlocks &) -> Path { return group + "ipamblocks"; },
            [&](const ListAffinities &query) -> Path {
                const std::string path = group + "blockaffinities";
                if (query.host.empty())
                    return path;
                const bool hosts = query.type == AffinityType::kHost;
                return path + labels_selector(
                                  std::string("projectcalico.org/affinity-type=") +
                                  (hosts ? "host" : "virtual") +
                                  ",projectcalico.org/hostname-hash=" + hostname_hash(query.host));
            },
            [&](const ListUnlabelledAffinities &) -> Path {
                return group + "blockaffinities" +
                       labels_selector("!projectcalico.org/hostname-hash");
            },
            [&](const ListHandles &) -> Path { return group + "ipamhandles"; },
            [&](const ListPools &) -> Path { return group + "ippools"; },
            [&](const ListReservations &) -> Path { return group + "ipreservations"; },
            [](const ListNodes &) -> Path { return "/api/v1/nodes"; },
            [](const ListEndpoints &) -> Path { return no_object("a list of endpoints"); },
            [](const ListPodsOnNode &query) -> Path {
                return "/api/v1/pods?fieldSelector=" +
                       http::percent_encoded("spec.nodeName=" + query.node);
            },
        },
        list);
}

std::string page_path(const std::string &list_path, const std::string &continue_token)
{
    std::string path = list_path;
    path += path.find('?') == std::string::npos ? '?' : '&';
    path += kPageLimit;
    if (!continue_token.empty())
        path += "&continue=" + http::percent_encoded(continue_token);
    return path;
}

bool is_core(const Query &query)
{
    if (const auto *key = std::get_if<Key>(&query)) {
        return std::holds_alternative<NodeKey>(*key) || std::holds_alternative<PodKey>(*key) ||
               std::holds_alternative<NamespaceKey>(*key) || std::holds_alternative<VmiKey>(*key) ||
               std::holds_alternative<VmKey>(*key);
    }
    return std::holds_alternative<ListNodes>(query) ||
           std::holds_alternative<ListPodsOnNode>(query);
}

}  // namespace tortie::store
