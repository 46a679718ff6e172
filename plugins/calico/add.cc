// SPDX-License-Identifier: Apache-2.0
#include "calico/add.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mac_addr.h"
#include "base/scope_exit.h"
#include "calico/add_facts.h"
#include "calico/addresses.h"
#include "calico/call.h"
#include "calico/coded.h"
#include "calico/datastore.h"
#include "calico/endpoint.h"
#include "calico/endpoint_removal.h"
#include "calico/endpoint_status.h"
#include "calico/endpoint_write.h"
#include "calico/host_local_conf.h"
#include "calico/ipam_choice.h"
#include "calico/node_files.h"
#include "calico/pod_plan.h"
#include "calico/readiness_gates.h"
#include "cni/result_codec.h"
#include "datapath/host_ifname.h"
#include "datapath/pod_link.h"

namespace tortie::calico_cni {
namespace {

template <class T>
using Checked = tl::expected<T, cni::CniError>;

tl::unexpected<cni::CniError> refuse(cni::Code code, std::string msg)
{
    return tl::make_unexpected(cni::CniError(code, std::move(msg)));
}

// What can be refused by looking at the configuration alone.
Checked<void> check_configuration(const Call &call, const Datastore &datastore)
{
    const NetConf &conf = call.conf;
    if (!conf.unusable.empty())
        return refuse(cni::Code::kInvalidConfiguration, conf.unusable);
    if (!conf.unknown_device_type.empty())
        return refuse(cni::Code::kInvalidConfiguration,
                      "unknown device_type \"" + conf.unknown_device_type +
                          "\" in CNI config (supported: \"veth\", \"netkit\")");
    if (conf.dataplane_type == "grpc")
        return refuse(cni::Code::kInvalidConfiguration,
                      "the gRPC dataplane is not supported by this plugin: dataplane_options.type "
                      "must not be \"grpc\"");
    if (conf.dataplane_type)
        return refuse(cni::Code::kInvalidConfiguration,
                      "invalid dataplane type: " + *conf.dataplane_type);
    if (!call.is_pod() && conf.ip_addrs_no_ipam)
        return refuse(cni::Code::kInvalidConfiguration,
                      "requested feature is not supported for this runtime: ip_addrs_no_ipam");
    const bool endpoints_are_pods = datastore.store->endpoints_are_pods();
    if (endpoints_are_pods && !call.is_pod())
        return refuse(cni::Code::kInvalidConfiguration,
                      "malformed WorkloadEndpoint name - unable to determine Pod name");
    // Profiles cannot be stored there; upstream finds out with everything set up.
    if (endpoints_are_pods && conf.policy.type.empty())
        return refuse(cni::Code::kInvalidConfiguration, "Invalid name " + call.request->network);
    return {};
}

Result<std::uint32_t> mtu_of(const NetConf &conf)
{
    TORTIE_TRY(const auto from_file,
               calico::read_mtu_file(calico::kMtuFile, conf.require_mtu_file));
    const std::int64_t mtu = conf.mtu != 0 ? conf.mtu : from_file.value_or(0);
    if (mtu < 0 || mtu > 65535)
        return fail(ErrorKind::kInvalidInput, "invalid mtu " + std::to_string(mtu));
    return static_cast<std::uint32_t>(mtu);
}

// One ADD from reading to the result. What it has done so far stands in its undo.
class Addition {
public:
    Addition(const Call &call, const Datastore &datastore, std::uint32_t mtu)
        : call_(call), datastore_(datastore), source_(call, datastore), mtu_(mtu)
    {
    }

    cni::Answer run()
    {
        TORTIE_DO(read());
        TORTIE_DO(coded(await_readiness_gates(call_.conf.readiness_gates, call_.deadline)));
        if (!call_.is_pod() && facts_.existing)
            return join_network();
        TORTIE_DO(plan());
        TORTIE_DO(coded(go_on()));
        return carry_out();
    }

private:
    cni::Answer carry_out()
    {
        TORTIE_TRY(addresses_, source_.acquire(facts_, plan_));
        ScopeExit undo_addresses([&] { source_.give_back(); });
        TORTIE_DO(coded(go_on()));
        TORTIE_TRY(const PodLinkState link, make_link());
        ScopeExit undo_link([&] { unmake_link(); });
        TORTIE_DO(coded(go_on()));
        TORTIE_DO(coded(write_endpoint(link.mac)));
        undo_link.dismiss();
        undo_addresses.dismiss();

        // The datastore is here: what DELs could not release while it was away, a few at a time.
        release_queued(call_, datastore_, kFewQueued);
        await_policy();
        return print(link.mac);
    }

    Checked<void> read()
    {
        bool wants_node = false;
        if (call_.is_pod() && call_.conf.ipam.type == kHostLocal) {
            TORTIE_TRY(wants_node, coded(uses_pod_cidrs(call_.request->config)));
        }
        const AddReads reads(call_, datastore_, wants_node && datastore_.cluster == nullptr);
        std::vector<store::Query> queries = reads.queries();
        const std::size_t own = queries.size();
        for (store::Query &query : source_.queries())
            queries.push_back(std::move(query));
        auto found = datastore_.store->read(queries, call_.deadline);
        TORTIE_TRY(facts_, coded(reads.facts(found)));
        source_.take_view(std::span(found).subspan(own));
        if (wants_node && datastore_.cluster != nullptr) {
            TORTIE_TRY(facts_.pod_cidrs, coded(pod_cidrs_of_cluster()));
        }
        return {};
    }

    // Calico's own node, which etcd has, knows none.
    Result<std::vector<std::string>> pod_cidrs_of_cluster() const
    {
        TORTIE_TRY(auto node, store::get<store::Node>(*datastore_.cluster,
                                                      store::NodeKey{.name = pod_cidr_node(call_)},
                                                      call_.deadline));
        return std::move(node.document.pod_cidrs);
    }

    // Everything is checked here, before the first change (Q13).
    Checked<void> plan()
    {
        if (call_.has_pod_policy() && facts_.pod) {
            const calico::PlanRules rules{.ipam_type = call_.conf.ipam.type,
                                          .ip_addrs_no_ipam = call_.conf.ip_addrs_no_ipam,
                                          .floating_ips = call_.conf.floating_ips,
                                          .writes_qos = !datastore_.store->endpoints_are_pods()};
            TORTIE_TRY(plan_, coded(calico::plan_of(facts_.pod->meta.annotations,
                                                    facts_.ns_annotations, rules)));
        }
        TORTIE_TRY(routes_, coded(pod_routes()));
        host_ifname_ = call_.is_pod() ? host_ifname_of_pod(host_prefix(), call_.ns, call_.pod)
                                      : host_ifname_of_container(call_.request->container_id);
        TORTIE_TRY(endpoint_, coded(new_endpoint(call_, facts_, host_ifname_)));
        TORTIE_DO(coded(calico::validate(endpoint_)));
        return {};
    }

    Result<std::vector<Cidr>> pod_routes() const
    {
        if (!call_.is_pod() || call_.conf.ipam.type != kHostLocal)
            return default_pod_routes();
        TORTIE_TRY(auto custom, host_local_routes(call_.request->config));
        if (custom.empty())
            return default_pod_routes();
        if (call_.conf.include_default_routes) {
            const auto defaults = default_pod_routes();
            custom.insert(custom.begin(), defaults.begin(), defaults.end());
        }
        return custom;
    }

    static std::string host_prefix()
    {
        return host_ifname_prefix(environment_variable("FELIX_INTERFACEPREFIX"));
    }

    Checked<PodLinkState> make_link()
    {
        TORTIE_DO(coded(calico::check_floating(addresses_.ips, plan_)));
        const PodLinkRequest link{.netns = call_.request->netns,
                                  .ifname = call_.request->ifname,
                                  .host_ifname = host_ifname_,
                                  .host_prefix = call_.is_pod() ? host_prefix() : "cali",
                                  .mtu_bytes = mtu_,
                                  .queues = call_.conf.num_queues,
                                  .addresses = addresses_.ips,
                                  .routes = routes_,
                                  .mac = plan_.mac,
                                  .allow_ip_forwarding = call_.conf.allow_ip_forwarding,
                                  .skip_host_side_routes = !addresses_.host_routes,
                                  .device = call_.conf.device_type == DeviceType::kNetkit
                                                ? PodDevice::kNetkit
                                                : PodDevice::kVeth};
        made_after_ = std::chrono::system_clock::now();
        auto made = create_pod_link(link);
        if (!made)
            log::error("Error setting up networking", {{"error", made.error().what()}});
        return coded(std::move(made));
    }

    void unmake_link()
    {
        if (const auto gone = remove_pod_link(call_.request->netns, call_.request->ifname); !gone)
            log::error("Error removing the link after a failure", {{"error", gone.error().what()}});
    }

    Result<> write_endpoint(const EtherAddr &mac)
    {
        calico::set_addresses(addresses_.ips, plan_, endpoint_);
        endpoint_.container_id = call_.request->container_id;
        endpoint_.mac = print_mac(mac);
        endpoint_.interface_name = host_ifname_;
        TORTIE_DO(store_endpoint(call_, datastore_, facts_, endpoint_));
        log::info("Wrote updated endpoint to datastore", {{"WorkloadEndpoint", endpoint_.name}});
        return {};
    }

    // Only delays the pod: whether Felix comes in time or not, the ADD has succeeded.
    void await_policy() const
    {
        if (!call_.is_pod() || call_.conf.policy_setup_timeout.count() == 0)
            return;
        const auto ready =
            calico::wait_for_endpoint_status(call_.conf.endpoint_status_dir,
                                             {.orchestrator = endpoint_.orchestrator,
                                              .workload = call_.ns + '/' + call_.pod,
                                              .endpoint = endpoint_.endpoint,
                                              .host_ifname = host_ifname_,
                                              .addresses = addresses_.ips,
                                              .since = made_after_},
                                             Deadline::in(call_.conf.policy_setup_timeout));
        if (!ready)
            log::warn("Error waiting for endpoint to become ready. Unblocking pod creation...",
                      {{"error", ready.error().what()}});
    }

    // A container that has its interface already joins another network, or the same again: only
    // its profiles change.
    cni::Answer join_network()
    {
        endpoint_ = facts_.existing->document;
        addresses_.ips = calico::addresses_of(endpoint_);
        const std::string &network = call_.request->network;
        auto &profiles = endpoint_.profiles;
        if (std::find(profiles.begin(), profiles.end(), network) == profiles.end())
            profiles.push_back(network);
        TORTIE_DO(coded(store_endpoint(call_, datastore_, facts_, endpoint_)));
        host_ifname_ = endpoint_.interface_name;
        return print(endpoint_.mac);
    }

    cni::Answer print(const EtherAddr &mac) { return print(print_mac(mac)); }

    cni::Answer print(const std::string &mac)
    {
        cni::CniResult result;
        result.interfaces = {{.name = host_ifname_,
                              .mac = {},
                              .mtu = 0,
                              .sandbox = {},
                              .socket_path = {},
                              .pci_id = {}},
                             {.name = call_.request->ifname,
                              .mac = mac,
                              .mtu = mtu_,
                              .sandbox = call_.request->netns,
                              .socket_path = {},
                              .pci_id = {}}};
        for (const IpAddr &ip : addresses_.ips)
            result.ips.push_back({.address = {.addr = ip, .prefix = width_bits(ip.family())},
                                  .gateway = {},
                                  .interface = 1});
        result.routes = addresses_.routes;
        result.dns = addresses_.dns;
        return coded(cni::print_result(result, call_.request->cni_version));
    }

    const Call &call_;
    const Datastore &datastore_;
    AddressSource source_;
    std::uint32_t mtu_;

    AddFacts facts_;
    calico::PodPlan plan_;
    std::vector<Cidr> routes_;
    std::string host_ifname_;
    Addresses addresses_;
    store::Endpoint endpoint_;
    std::chrono::system_clock::time_point made_after_;
};

}  // namespace

cni::Answer add(const cni::Request &request)
{
    TORTIE_TRY(const Call call, read_call(request));
    if (!call.conf.nodename_file_optional)
        TORTIE_DO(coded(calico::require_nodename_file(call.conf.nodename_file)));
    TORTIE_TRY(const std::uint32_t mtu, coded(mtu_of(call.conf)));
    auto datastore = open_datastore(call.conf, call.node);
    if (!datastore)
        return tl::make_unexpected(
            failure(std::move(datastore).error().within("error creating calico client")));
    TORTIE_DO(check_configuration(call, *datastore));
    return Addition(call, *datastore, mtu).run();
}

}  // namespace tortie::calico_cni
