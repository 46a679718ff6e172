// SPDX-License-Identifier: Apache-2.0
#include "calico/delegated_conf.h"

#include <optional>
#include <utility>

#include "base/log.h"
#include "calico/azure_records.h"
#include "calico/host_local_conf.h"
#include "calico/ipam_choice.h"

namespace tortie::calico_cni {
namespace {

// A configuration that was changed is printed anew; one that was not stays as it is, to the byte.
cni::Request with_config(const Call &call, const std::optional<cni::Json> &config)
{
    cni::Request request = *call.request;
    if (config) {
        request.config = *config;
        request.stdin_text = config->go_text();
    }
    return request;
}

Result<std::optional<cni::Json>> with_plan(const cni::Json &config, const calico::PodPlan &plan)
{
    std::optional<cni::Json> out;
    const auto set = [&](std::string_view pointer, const cni::Json &value) -> Result<> {
        auto changed = out.value_or(config).with(pointer, value);
        if (!changed)
            return fail(ErrorKind::kInvalidInput, "data on stdin was of unexpected type");
        out = *std::move(changed);
        return {};
    };
    if (plan.ipv4_pools)
        TORTIE_DO(set("/ipam/ipv4_pools", cni::Json::of(*plan.ipv4_pools)));
    if (plan.ipv6_pools)
        TORTIE_DO(set("/ipam/ipv6_pools", cni::Json::of(*plan.ipv6_pools)));
    if (plan.assign_ipv4)
        TORTIE_DO(set("/ipam/assign_ipv4", cni::Json::of(*plan.assign_ipv4 ? "true" : "false")));
    if (plan.assign_ipv6)
        TORTIE_DO(set("/ipam/assign_ipv6", cni::Json::of(*plan.assign_ipv6 ? "true" : "false")));
    return out;
}

Result<std::optional<cni::Json>> with_azure_subnet(const Call &call)
{
    TORTIE_TRY(const auto subnets, calico::AzureRecords().subnets(call.request->network));
    if (subnets.empty())
        return std::nullopt;
    TORTIE_TRY(cni::Json config,
               call.request->config.with("/ipam/subnet", cni::Json::of(subnets.front())));
    return config;
}

Result<std::optional<cni::Request>> azure_del(const Call &call)
{
    const cni::Request &request = *call.request;
    const calico::AzureRecords records;
    TORTIE_TRY(const auto addresses,
               records.addresses(request.network, request.container_id, request.ifname));
    if (addresses.empty())
        return std::nullopt;
    const std::string &first = addresses.front();
    TORTIE_TRY(
        cni::Json config,
        request.config.with("/ipam/ipAddress", cni::Json::of(first.substr(0, first.find('/')))));
    TORTIE_TRY(const auto subnets, records.subnets(request.network));
    if (!subnets.empty()) {
        TORTIE_TRY(config, config.with("/ipam/subnet", cni::Json::of(subnets.front())));
    }
    return with_config(call, config);
}

}  // namespace

Result<cni::Request> delegated_add(const Call &call, std::span<const std::string> pod_cidrs,
                                   const calico::PodPlan &plan)
{
    const std::string &type = call.conf.ipam.type;
    std::optional<cni::Json> config;
    if (type == kHostLocal && call.is_pod()) {
        TORTIE_TRY(const bool changes, uses_pod_cidrs(call.request->config));
        if (changes) {
            TORTIE_TRY(config, with_pod_cidrs(call.request->config, call.node, pod_cidrs));
        }
    } else if (type == kCalicoIpam) {
        TORTIE_TRY(config, with_plan(call.request->config, plan));
    } else if (type == kAzureIpam) {
        TORTIE_TRY(config, with_azure_subnet(call));
    }
    return with_config(call, config);
}

Result<std::optional<cni::Request>> delegated_del(const Call &call)
{
    const std::string &type = call.conf.ipam.type;
    if (type == kAzureIpam)
        return azure_del(call);
    std::optional<cni::Json> config;
    if (type == kHostLocal) {
        const auto changes = uses_pod_cidrs(call.request->config);
        if (changes && *changes) {
            TORTIE_TRY(config, with_any_cidrs(call.request->config));
        }
    }
    return with_config(call, config);
}

std::vector<std::string> with_requested_address(std::vector<std::string> environment,
                                                const IpAddr &ip)
{
    for (std::string &entry : environment) {
        if (entry.starts_with("CNI_ARGS="))
            entry += ";IP=" + ip.to_string();
    }
    return environment;
}

void remember_azure(const Call &call, std::span<const Cidr> addresses)
{
    const cni::Request &request = *call.request;
    const Cidr &first = addresses.front();
    std::vector<std::string> texts;
    for (const Cidr &address : addresses)
        texts.push_back(address.to_string());
    const calico::AzureRecords records;
    auto stored = records.store_network(
        request.network, {Cidr{.addr = first.network(), .prefix = first.prefix}.to_string()});
    if (stored)
        stored =
            records.store_endpoint(request.network, request.container_id, request.ifname, texts);
    if (!stored)
        log::error("Error storing what Azure's IPAM gave", {{"error", stored.error().what()}});
}

void forget_azure(const Call &call)
{
    const cni::Request &request = *call.request;
    const auto removed = calico::AzureRecords().remove_endpoint(
        request.network, request.container_id, request.ifname);
    if (!removed)
        log::error("Error forgetting what Azure's IPAM gave", {{"error", removed.error().what()}});
}

}  // namespace tortie::calico_cni
