// SPDX-License-Identifier: Apache-2.0
#include "calico/pod_plan.h"

#include <algorithm>

#include "base/mac_addr.h"
#include "calico/json_codec.h"
#include "calico/qos_controls.h"

namespace tortie::calico {
namespace {

constexpr std::string_view kCalicoIpam = "calico-ipam";
constexpr std::string_view kHwAddr = "cni.projectcalico.org/hwAddr";
constexpr std::size_t kEthernetBytes = 6;
constexpr std::size_t kMostQuotedBytes = 1024;  // of an annotation in an error text

tl::unexpected<Error> refuse(std::string text)
{
    return fail(ErrorKind::kInvalidInput, std::move(text));
}

std::string shortened(const std::string &value)
{
    return value.size() <= kMostQuotedBytes ? value : value.substr(0, kMostQuotedBytes) + "...";
}

// Empty is the same as absent.
std::string value_of(const kube::StringMap &annotations, std::string_view name)
{
    const auto found = annotations.find("cni.projectcalico.org/" + std::string(name));
    return found == annotations.end() ? "" : found->second;
}

Result<std::vector<std::string>> parse_list(const std::string &value)
{
    auto list = parse_string_list(value);
    if (!list)
        return refuse("failed to parse '" + shortened(value) + "' as JSON: " + list.error().what());
    return list;
}

// ---- pools and families --------------------------------------------------------------------

Result<> read_pools(const kube::StringMap &pod, const kube::StringMap &ns, std::string_view name,
                    std::optional<std::vector<std::string>> &into)
{
    std::string value = value_of(pod, name);
    if (value.empty())
        value = value_of(ns, name);
    if (value.empty())
        return {};
    TORTIE_TRY(into, parse_string_list(value));
    return {};
}

Result<> read_families(const kube::StringMap &pod, const kube::StringMap &ns, PodPlan &plan)
{
    std::string value = value_of(pod, "ipFamilies");
    if (value.empty())
        value = value_of(ns, "ipFamilies");
    if (value.empty())
        return {};
    TORTIE_TRY(const auto families, parse_string_list(value));
    plan.assign_ipv4 = plan.assign_ipv6 = false;
    for (const std::string &family : families) {
        if (family != "IPv4" && family != "IPv6")
            return refuse("error parsing ipFamilies: " + shortened(value));
        (family == "IPv4" ? plan.assign_ipv4 : plan.assign_ipv6) = true;
    }
    return {};
}

// ---- addresses -----------------------------------------------------------------------------

// At most one of each family, in the order given.
Result<std::vector<IpAddr>> parse_addresses(const std::string &value, const std::string &annotation)
{
    const auto list = parse_list(value);
    if (!list)
        return refuse("failed to parse IPs " + shortened(value) + " for annotation \"" +
                      annotation + "\": " + list.error().what());
    if (list->empty())
        return refuse("annotation \"" + annotation + "\" specified but empty");
    std::vector<IpAddr> addresses;
    for (const std::string &text : *list) {
        const auto address = IpAddr::parse(text);
        if (!address)
            return refuse("invalid IP format: " + shortened(text));
        const bool second = std::any_of(addresses.begin(), addresses.end(), [&](const IpAddr &ip) {
            return ip.family() == address->family();
        });
        if (second)
            return refuse(std::string("cannot have more than one ") +
                          (address->family() == Family::kIpv4 ? "IPv4" : "IPv6") +
                          " address for \"" + annotation + "\" annotation");
        addresses.push_back(*address);
    }
    return addresses;
}

Result<> read_addresses(const kube::StringMap &pod, const PlanRules &rules, PodPlan &plan)
{
    const std::string requested = value_of(pod, "ipAddrs");
    const std::string given = value_of(pod, "ipAddrsNoIpam");
    if (!requested.empty() && !given.empty())
        return refuse(
            "can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the "
            "same time");
    const std::string name = given.empty() ? "ipAddrs" : "ipAddrsNoIpam";
    if (requested.empty() && given.empty())
        return {};
    if (rules.ipam_type != kCalicoIpam)
        return refuse(name + " is not compatible with configured IPAM: " + rules.ipam_type);
    if (!given.empty() && !rules.ip_addrs_no_ipam)
        return refuse("requested feature is not enabled: ip_addrs_no_ipam");
    const std::string &value = given.empty() ? requested : given;
    TORTIE_TRY((given.empty() ? plan.requested : plan.given),
               parse_addresses(value, "cni.projectcalico.org/" + name));
    return {};
}

Result<> read_floating(const kube::StringMap &pod, const PlanRules &rules, PodPlan &plan)
{
    const std::string value = value_of(pod, "floatingIPs");
    if (value.empty())
        return {};
    if (!rules.floating_ips)
        return refuse("requested feature is not enabled: floating_ips");
    TORTIE_TRY(const auto list, parse_list(value));
    for (const std::string &text : list) {
        const auto address = IpAddr::parse(text);
        if (!address)
            return refuse("invalid IP format: " + shortened(text));
        plan.floating.push_back(*address);
    }
    return {};
}

// ---- the rest ------------------------------------------------------------------------------

Result<> read_mac(const kube::StringMap &pod, PodPlan &plan)
{
    const std::string value = value_of(pod, "hwAddr");
    if (value.empty())
        return {};
    const auto mac = parse_mac(value);
    if (!mac || mac->size() != kEthernetBytes)
        return refuse("failed to parse MAC address " + shortened(value) + " provided via " +
                      std::string(kHwAddr) + ": address " + shortened(value) +
                      ": invalid MAC address");
    std::copy(mac->begin(), mac->end(), plan.mac.emplace().begin());
    plan.mac_text = value;
    return {};
}

Result<> read_source_prefixes(const kube::StringMap &pod, PodPlan &plan)
{
    const std::string value = value_of(pod, "allowedSourcePrefixes");
    if (value.empty())
        return {};
    TORTIE_TRY(const auto list, parse_list(value));
    for (const std::string &text : list) {
        const auto cidr = Cidr::parse(text);
        if (!cidr)
            return refuse("failed to parse '" + shortened(text) +
                          "' as a CIDR: invalid CIDR address: " + shortened(text));
        plan.allowed_source_prefixes.push_back(
            Cidr{.addr = cidr->network(), .prefix = cidr->prefix}.to_string());
    }
    return {};
}

}  // namespace

Result<PodPlan> plan_of(const kube::StringMap &pod, const kube::StringMap &ns,
                        const PlanRules &rules)
{
    PodPlan plan;
    if (rules.ipam_type == kCalicoIpam) {
        TORTIE_DO(read_pools(pod, ns, "ipv4pools", plan.ipv4_pools));
        TORTIE_DO(read_pools(pod, ns, "ipv6pools", plan.ipv6_pools));
        TORTIE_DO(read_families(pod, ns, plan));
    }
    TORTIE_DO(read_addresses(pod, rules, plan));
    TORTIE_DO(read_mac(pod, plan));
    TORTIE_DO(read_source_prefixes(pod, plan));
    TORTIE_DO(read_floating(pod, rules, plan));
    if (rules.writes_qos)
        plan.qos_controls = qos_controls_of(pod);
    return plan;
}

}  // namespace tortie::calico
