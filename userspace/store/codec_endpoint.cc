// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "store/codec_json.h"
#include "store/codec_kinds.h"

namespace tortie::store {
namespace {

// Where each text of an endpoint's spec stands.
struct Place {
    const char *key;
    std::string Endpoint::*text;
};

constexpr Place kTexts[] = {
    {"orchestrator", &Endpoint::orchestrator},
    {"workload", &Endpoint::workload},
    {"node", &Endpoint::node},
    {"containerID", &Endpoint::container_id},
    {"pod", &Endpoint::pod},
    {"endpoint", &Endpoint::endpoint},
    {"serviceAccountName", &Endpoint::service_account},
    {"ipv4Gateway", &Endpoint::ipv4_gateway},
    {"ipv6Gateway", &Endpoint::ipv6_gateway},
    {"interfaceName", &Endpoint::interface_name},
    {"mac", &Endpoint::mac},
};

constexpr Place kMetadataTexts[] = {
    {"generateName", &Endpoint::generate_name},
    {"uid", &Endpoint::uid},
    {"creationTimestamp", &Endpoint::creation_timestamp},
};

struct ListPlace {
    const char *key;
    std::vector<std::string> Endpoint::*list;
};

constexpr ListPlace kLists[] = {
    {"ipNetworks", &Endpoint::ip_networks},
    {"profiles", &Endpoint::profiles},
    {"allowSpoofedSourcePrefixes", &Endpoint::allow_spoofed_source_prefixes},
};

// A protocol is a name or a number on the wire, a text here.
Result<std::string> take_protocol(json &object)
{
    const auto found = object.find("protocol");
    if (found != object.end() && found->is_number_unsigned())
        return std::to_string(found->get<std::uint64_t>());
    return take_text(object, "protocol");
}

json protocol_value(const std::string &protocol)
{
    const auto number = parse_number<std::uint8_t>(protocol);
    return number ? json(*number) : json(protocol);
}

Result<std::uint16_t> take_port(json &object, const char *key)
{
    TORTIE_TRY(const std::int64_t port, take_integer(object, key));
    if (port < 0 || port > 0xffff)
        return malformed(key, "is no port");
    return static_cast<std::uint16_t>(port);
}

Result<EndpointPort> port_of(json object)
{
    if (!object.is_object())
        return malformed("ports", "holds something that is not an object");
    EndpointPort port;
    TORTIE_TRY(port.name, take_text(object, "name"));
    TORTIE_TRY(port.protocol, take_protocol(object));
    TORTIE_TRY(port.port, take_port(object, "port"));
    TORTIE_TRY(port.host_port, take_port(object, "hostPort"));
    TORTIE_TRY(port.host_ip, take_text(object, "hostIP"));
    return port;
}

Result<> read_ports(json &spec, Endpoint &endpoint)
{
    TORTIE_TRY(json ports, take_array(spec, "ports"));
    for (json &element : ports) {
        TORTIE_TRY(EndpointPort port, port_of(std::move(element)));
        endpoint.ports.push_back(std::move(port));
    }
    return {};
}

Result<> read_nats(json &spec, Endpoint &endpoint)
{
    TORTIE_TRY(json nats, take_array(spec, "ipNATs"));
    for (json &element : nats) {
        if (!element.is_object())
            return malformed("ipNATs", "holds something that is not an object");
        EndpointNat nat;
        TORTIE_TRY(nat.internal_ip, take_text(element, "internalIP"));
        TORTIE_TRY(nat.external_ip, take_text(element, "externalIP"));
        endpoint.ip_nats.push_back(std::move(nat));
    }
    return {};
}

void write_ports(const Endpoint &endpoint, json &spec)
{
    if (endpoint.ports.empty())
        return;
    json ports = json::array();
    for (const EndpointPort &port : endpoint.ports) {
        ports.push_back({{"name", port.name},
                         {"protocol", protocol_value(port.protocol)},
                         {"port", port.port},
                         {"hostPort", port.host_port},
                         {"hostIP", port.host_ip}});
    }
    spec["ports"] = std::move(ports);
}

void write_nats(const Endpoint &endpoint, json &spec)
{
    if (endpoint.ip_nats.empty())
        return;
    json nats = json::array();
    for (const EndpointNat &nat : endpoint.ip_nats)
        nats.push_back({{"internalIP", nat.internal_ip}, {"externalIP", nat.external_ip}});
    spec["ipNATs"] = std::move(nats);
}

}  // namespace

Result<> read(json &spec, Spelling, Endpoint &endpoint)
{
    for (const Place &place : kTexts) {
        TORTIE_TRY(endpoint.*place.text, take_text(spec, place.key));
    }
    for (const ListPlace &place : kLists) {
        TORTIE_TRY(endpoint.*place.list, take_texts(spec, place.key));
    }
    TORTIE_DO(read_nats(spec, endpoint));
    TORTIE_DO(read_ports(spec, endpoint));
    TORTIE_TRY(const json controls, take_object(spec, "qosControls"));
    endpoint.qos_controls = text_or_empty(controls);
    return {};
}

void write(const Endpoint &endpoint, Spelling, json &spec)
{
    for (const Place &place : kTexts)
        set_text(spec, place.key, endpoint.*place.text);
    for (const ListPlace &place : kLists) {
        if (!(endpoint.*place.list).empty())
            spec[place.key] = endpoint.*place.list;
    }
    write_nats(endpoint, spec);
    write_ports(endpoint, spec);
    if (!endpoint.qos_controls.empty())
        spec["qosControls"] = object_of(endpoint.qos_controls);
}

Result<> read_metadata(json &metadata, Endpoint &endpoint)
{
    for (const Place &place : kMetadataTexts) {
        TORTIE_TRY(endpoint.*place.text, take_text(metadata, place.key));
    }
    TORTIE_TRY(std::optional<StringMap> labels, take_map(metadata, "labels"));
    endpoint.labels = std::move(labels).value_or(StringMap());
    TORTIE_TRY(std::optional<StringMap> annotations, take_map(metadata, "annotations"));
    endpoint.annotations = std::move(annotations).value_or(StringMap());
    return {};
}

void write_metadata(const Endpoint &endpoint, json &metadata)
{
    metadata["namespace"] = endpoint.ns;
    for (const Place &place : kMetadataTexts)
        set_text(metadata, place.key, endpoint.*place.text);
    if (!endpoint.labels.empty())
        metadata["labels"] = endpoint.labels;
    if (!endpoint.annotations.empty())
        metadata["annotations"] = endpoint.annotations;
}

}  // namespace tortie::store
