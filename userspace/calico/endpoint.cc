// SPDX-License-Identifier: Apache-2.0
#include "calico/endpoint.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"

namespace tortie::calico {
namespace {

constexpr std::string_view kNamespaceLabel = "projectcalico.org/namespace";
constexpr std::string_view kOrchestratorLabel = "projectcalico.org/orchestrator";
constexpr std::string_view kServiceAccountLabel = "projectcalico.org/serviceaccount";
constexpr std::string_view kPodIpAnnotation = "cni.projectcalico.org/podIP";
constexpr std::string_view kPodIpsAnnotation = "cni.projectcalico.org/podIPs";
constexpr std::size_t kMostLabelBytes = 62;  // longer service accounts get no label
constexpr std::size_t kMostNameBytes = 253;
constexpr std::int64_t kMostPort = 65535;

bool is_lower_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_alphanumeric(char c)
{
    return is_lower_alphanumeric(c) || (c >= 'A' && c <= 'Z');
}

// Letters and digits of `allowed`, with dashes inside.
bool is_dashed(std::string_view text, bool (*allowed)(char))
{
    return !text.empty() && allowed(text.front()) && allowed(text.back()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return c == '-' || allowed(c); });
}

// ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$
bool is_resource_name(std::string_view text)
{
    while (true) {
        const std::size_t dot = text.find('.');
        if (!is_dashed(text.substr(0, dot), is_lower_alphanumeric))
            return false;
        if (dot == std::string_view::npos)
            return true;
        text.remove_prefix(dot + 1);
    }
}

bool is_interface_name(std::string_view text)
{
    return !text.empty() && text.size() <= 15 && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
    });
}

tl::unexpected<Error> refuse(std::string_view field, std::string_view value, std::string_view why)
{
    return fail(ErrorKind::kInvalidInput, "error with field " + std::string(field) + " = '" +
                                              std::string(value) + "' (" + std::string(why) + ')');
}

// An empty one is fine where the field may be left out.
Result<> check_name(std::string_view field, const std::string &value)
{
    if (value.empty() || is_resource_name(value))
        return {};
    return refuse(field, value,
                  "a name is lower case letters, digits, '-' and '.', and begins and ends with a "
                  "letter or digit");
}

std::optional<store::EndpointPort> port_of(const kube::ContainerPort &port)
{
    const bool of_interest = port.container_port > 0 && port.container_port <= kMostPort &&
                             (port.host_port != 0 || !port.name.empty());
    const std::string protocol = port.protocol.empty() ? "TCP" : port.protocol;
    if (!of_interest || (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP"))
        return std::nullopt;
    const bool sound_host_port = port.host_port > 0 && port.host_port <= kMostPort;
    return store::EndpointPort{
        .name = port.name,
        .protocol = protocol,
        .port = static_cast<std::uint16_t>(port.container_port),
        .host_port = static_cast<std::uint16_t>(sound_host_port ? port.host_port : 0),
        .host_ip = port.host_ip};
}

Result<> check_name_of(const store::Endpoint &endpoint)
{
    const WorkloadIds ids{.node = endpoint.node,
                          .orchestrator = endpoint.orchestrator,
                          .workload = endpoint.workload,
                          .pod = endpoint.pod,
                          .container_id = endpoint.container_id,
                          .endpoint = endpoint.endpoint};
    TORTIE_TRY(const std::string expected, workload_name(ids));
    if (endpoint.name != expected)
        return refuse("Name", endpoint.name,
                      "the WorkloadEndpoint name does not match the primary identifiers assigned "
                      "in the Spec: expected name " +
                          expected);
    if (endpoint.name.size() > kMostNameBytes)
        return refuse("Name", endpoint.name,
                      "name is too long by more than " + std::to_string(kMostNameBytes) + " bytes");
    return {};
}

const std::string *annotation(const kube::Pod &pod, std::string_view name)
{
    const auto found = pod.meta.annotations.find(std::string(name));
    return found == pod.meta.annotations.end() ? nullptr : &found->second;
}

// With or without a prefix length.
std::vector<IpAddr> parse_addresses(const std::vector<std::string> &texts)
{
    std::vector<IpAddr> addresses;
    for (const std::string &text : texts) {
        const auto address = IpAddr::parse(std::string_view(text).substr(0, text.find('/')));
        if (address)
            addresses.push_back(*address);
    }
    return addresses;
}

const IpAddr *of_family(std::span<const IpAddr> addresses, Family family)
{
    const auto found = std::find_if(addresses.begin(), addresses.end(),
                                    [&](const IpAddr &ip) { return ip.family() == family; });
    return found == addresses.end() ? nullptr : &*found;
}

}  // namespace

kube::StringMap endpoint_labels(std::string_view ns, std::string_view orchestrator)
{
    return {{std::string(kNamespaceLabel), std::string(ns)},
            {std::string(kOrchestratorLabel), std::string(orchestrator)}};
}

void describe_pod(const kube::Pod &pod, store::Endpoint &endpoint)
{
    const kube::StringMap forced = endpoint_labels(pod.meta.ns, kKubernetes);
    endpoint.labels = pod.meta.labels;
    for (const auto &[key, value] : forced)
        endpoint.labels.insert_or_assign(key, value);
    endpoint.profiles = {"kns." + pod.meta.ns};
    if (!pod.service_account.empty())
        endpoint.profiles.push_back("ksa." + pod.meta.ns + '.' + pod.service_account);
    if (!pod.service_account.empty() && pod.service_account.size() <= kMostLabelBytes)
        endpoint.labels.insert_or_assign(std::string(kServiceAccountLabel), pod.service_account);
    endpoint.service_account = pod.service_account;
    endpoint.generate_name = pod.meta.generate_name;
    endpoint.ports.clear();
    for (const kube::ContainerPort &each : pod.ports) {
        if (auto port = port_of(each))
            endpoint.ports.push_back(*std::move(port));
    }
}

void set_addresses(std::span<const IpAddr> addresses, const PodPlan &plan,
                   store::Endpoint &endpoint)
{
    endpoint.ip_networks.clear();
    for (const IpAddr &ip : addresses)
        endpoint.ip_networks.push_back(
            Cidr{.addr = ip, .prefix = width_bits(ip.family())}.to_string());
    endpoint.ip_nats.clear();
    for (const IpAddr &floating : plan.floating) {
        if (const IpAddr *inner = of_family(addresses, floating.family()))
            endpoint.ip_nats.push_back(
                {.internal_ip = inner->to_string(), .external_ip = floating.to_string()});
    }
    endpoint.annotations.clear();
    endpoint.allow_spoofed_source_prefixes = plan.allowed_source_prefixes;
    endpoint.qos_controls = plan.qos_controls;
}

Result<> check_floating(std::span<const IpAddr> addresses, const PodPlan &plan)
{
    for (const IpAddr &floating : plan.floating) {
        if (of_family(addresses, floating.family()) == nullptr)
            return fail(ErrorKind::kInvalidInput,
                        "floating IP " + floating.to_string() + ": the pod has no " +
                            (floating.family() == Family::kIpv4 ? "IPv4" : "IPv6") + " address");
    }
    return {};
}

std::string container_of(const kube::Pod &pod)
{
    const std::string *id = annotation(pod, kContainerIdAnnotation);
    return id == nullptr ? "" : *id;
}

std::vector<std::string> annotated_addresses(const kube::Pod &pod)
{
    const std::string *all = annotation(pod, kPodIpsAnnotation);
    if (all == nullptr || all->empty())
        all = annotation(pod, kPodIpAnnotation);
    if (all == nullptr || all->empty())
        return {};
    std::vector<std::string> texts;
    for (const std::string_view text : split(*all, ','))
        texts.emplace_back(trim(text));
    return texts;
}

bool has_endpoint(const kube::Pod &pod)
{
    return !pod.node_name.empty() && !pod.host_network;
}

Result<> validate(const store::Endpoint &endpoint)
{
    TORTIE_DO(check_name_of(endpoint));
    TORTIE_DO(check_name("node", endpoint.node));
    TORTIE_DO(check_name("orchestrator", endpoint.orchestrator));
    TORTIE_DO(check_name("pod", endpoint.pod));
    TORTIE_DO(check_name("endpoint", endpoint.endpoint));
    TORTIE_DO(check_name("serviceAccountName", endpoint.service_account));
    if (!endpoint.container_id.empty() && !is_dashed(endpoint.container_id, is_alphanumeric))
        return refuse("containerID", endpoint.container_id,
                      "letters, digits and '-' between them are allowed");
    if (!is_interface_name(endpoint.interface_name))
        return refuse("interfaceName", endpoint.interface_name, "is no name of an interface");
    for (const store::EndpointPort &port : endpoint.ports) {
        if (!port.name.empty() && !is_dashed(port.name, is_lower_alphanumeric))
            return refuse("ports.name", port.name, "is no name of a port");
    }
    for (const std::string &profile : endpoint.profiles) {
        // Profiles of pods are written by us; network names may hold more than names may.
        if (!is_resource_name(profile))
            return refuse("profiles", profile, "is no name of a profile");
    }
    return {};
}

std::vector<IpAddr> addresses_of(const store::Endpoint &endpoint)
{
    return parse_addresses(endpoint.ip_networks);
}

std::vector<IpAddr> addresses_of(const kube::Pod &pod)
{
    const std::string *annotated = annotation(pod, kPodIpAnnotation);
    const bool released =
        !pod.meta.deletion_timestamp.empty() && annotated != nullptr && annotated->empty();
    if (pod.phase == "Succeeded" || pod.phase == "Failed" || pod.phase == "Completed" || released)
        return {};
    if (!pod.pod_ips.empty())
        return parse_addresses(pod.pod_ips);
    if (!pod.pod_ip.empty())
        return parse_addresses({pod.pod_ip});
    return parse_addresses(annotated_addresses(pod));
}

}  // namespace tortie::calico
