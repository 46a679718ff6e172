// SPDX-License-Identifier: Apache-2.0
#include "kube/json_objects.h"

#include <nlohmann/json.hpp>

#include "base/json_nesting.h"

namespace tortie::kube {
namespace {

using nlohmann::json;

// Deeper than any object of Kubernetes, shallow enough for the parser's stack.
constexpr int kMaxLevels = 64;

Result<json> object_of(std::string_view text)
{
    if (nested_deeper_than(text, kMaxLevels))
        return fail(ErrorKind::kInvalidInput, "JSON of more than 64 levels");
    json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object())
        return fail(ErrorKind::kInvalidInput, "the answer is not a JSON object");
    return object;
}

const json &member(const json &object, const char *key)
{
    static const json null;
    if (!object.is_object())
        return null;
    const auto found = object.find(key);
    return found == object.end() ? null : *found;
}

std::string text(const json &object, const char *key)
{
    const auto *value = member(object, key).get_ptr<const std::string *>();
    return value ? *value : std::string();
}

bool flag(const json &object, const char *key)
{
    const auto *value = member(object, key).get_ptr<const bool *>();
    return value && *value;
}

std::int64_t integer(const json &object, const char *key)
{
    const json &value = member(object, key);
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

StringMap string_map(const json &object, const char *key)
{
    StringMap map;
    const json &found = member(object, key);
    if (!found.is_object())
        return map;
    for (const auto &[name, value] : found.items()) {
        if (const auto *string = value.get_ptr<const std::string *>())
            map.emplace(name, *string);
    }
    return map;
}

// The texts of a list, each itself or a member of an object.
std::vector<std::string> texts(const json &list, const char *key = nullptr)
{
    std::vector<std::string> out;
    if (!list.is_array())
        return out;
    for (const json &item : list) {
        const json &value = key ? member(item, key) : item;
        if (const auto *string = value.get_ptr<const std::string *>())
            out.push_back(*string);
    }
    return out;
}

ObjectMeta meta_of(const json &object)
{
    const json &metadata = member(object, "metadata");
    return {.name = text(metadata, "name"),
            .ns = text(metadata, "namespace"),
            .generate_name = text(metadata, "generateName"),
            .uid = text(metadata, "uid"),
            .resource_version = text(metadata, "resourceVersion"),
            .creation_timestamp = text(metadata, "creationTimestamp"),
            .deletion_timestamp = text(metadata, "deletionTimestamp"),
            .labels = string_map(metadata, "labels"),
            .annotations = string_map(metadata, "annotations")};
}

std::vector<OwnerReference> owners_of(const json &object)
{
    std::vector<OwnerReference> owners;
    const json &list = member(member(object, "metadata"), "ownerReferences");
    if (!list.is_array())
        return owners;
    for (const json &item : list) {
        owners.push_back({.api_version = text(item, "apiVersion"),
                          .kind = text(item, "kind"),
                          .name = text(item, "name"),
                          .uid = text(item, "uid"),
                          .controller = flag(item, "controller")});
    }
    return owners;
}

void add_ports(const json &containers, std::vector<ContainerPort> &ports)
{
    if (!containers.is_array())
        return;
    for (const json &container : containers) {
        const json &list = member(container, "ports");
        if (!list.is_array())
            continue;
        for (const json &port : list) {
            ports.push_back({.name = text(port, "name"),
                             .protocol = text(port, "protocol"),
                             .container_port = integer(port, "containerPort"),
                             .host_port = integer(port, "hostPort"),
                             .host_ip = text(port, "hostIP")});
        }
    }
}

Pod pod_of(const json &object)
{
    const json &spec = member(object, "spec");
    const json &status = member(object, "status");
    Pod pod{.meta = meta_of(object),
            .owners = owners_of(object),
            .node_name = text(spec, "nodeName"),
            .service_account = text(spec, "serviceAccountName"),
            .host_network = flag(spec, "hostNetwork"),
            .phase = text(status, "phase"),
            .pod_ip = text(status, "podIP"),
            .pod_ips = texts(member(status, "podIPs"), "ip"),
            .ports = {}};
    add_ports(member(spec, "containers"), pod.ports);
    add_ports(member(spec, "initContainers"), pod.ports);
    return pod;
}

Node node_of(const json &object)
{
    const json &spec = member(object, "spec");
    Node node{.meta = meta_of(object), .pod_cidrs = texts(member(spec, "podCIDRs"))};
    if (const std::string only = text(spec, "podCIDR"); node.pod_cidrs.empty() && !only.empty())
        node.pod_cidrs.push_back(only);
    return node;
}

template <class T>
Result<T> named(T object)
{
    if (object.meta.name.empty())
        return fail(ErrorKind::kInvalidInput, "the answer is not an object with a name");
    return object;
}

template <class T>
Result<ObjectPage<T>> page_of(std::string_view answer, T (*item_of)(const json &))
{
    TORTIE_TRY(const json object, object_of(answer));
    const json &items = member(object, "items");
    if (!items.is_array() && !items.is_null())
        return fail(ErrorKind::kInvalidInput, "the answer is not a list");
    ObjectPage<T> page;
    page.next = text(member(object, "metadata"), "continue");
    for (const json &item : items) {
        if (item.is_object())
            page.items.push_back(item_of(item));
    }
    return page;
}

std::string dump(const json &object)
{
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Result<Pod> parse_pod(std::string_view answer)
{
    TORTIE_TRY(const json object, object_of(answer));
    return named(pod_of(object));
}

Result<Namespace> parse_namespace(std::string_view answer)
{
    TORTIE_TRY(const json object, object_of(answer));
    return named(Namespace{.meta = meta_of(object)});
}

Result<Node> parse_node(std::string_view answer)
{
    TORTIE_TRY(const json object, object_of(answer));
    return named(node_of(object));
}

Result<VirtualMachine> parse_virtual_machine(std::string_view answer)
{
    TORTIE_TRY(const json object, object_of(answer));
    return named(VirtualMachine{.meta = meta_of(object), .owners = owners_of(object)});
}

Result<ObjectPage<Pod>> parse_pods(std::string_view answer)
{
    return page_of<Pod>(answer, pod_of);
}

Result<ObjectPage<Node>> parse_nodes(std::string_view answer)
{
    return page_of<Node>(answer, node_of);
}

Result<std::vector<std::string>> parse_groups(std::string_view answer)
{
    TORTIE_TRY(const json object, object_of(answer));
    const json &groups = member(object, "groups");
    if (!groups.is_array())
        return fail(ErrorKind::kInvalidInput, "the answer is not a list of API groups");
    return texts(groups, "name");
}

Result<std::string> parse_version(std::string_view answer)
{
    TORTIE_TRY(const json object, object_of(answer));
    return text(object, "gitVersion");
}

bool parse_status(std::string_view answer, Status &status)
{
    const auto object = object_of(answer);
    if (!object || text(*object, "kind") != "Status")
        return false;
    const json &details = member(*object, "details");
    status = {.message = text(*object, "message"),
              .reason = text(*object, "reason"),
              .name = text(details, "name"),
              .cause_fields = texts(member(details, "causes"), "field")};
    return true;
}

Result<ObjectVersion> parse_version_of_object(std::string_view answer)
{
    TORTIE_TRY(const json object, object_of(answer));
    const json &metadata = member(object, "metadata");
    ObjectVersion version{.uid = text(metadata, "uid"),
                          .resource_version = text(metadata, "resourceVersion")};
    if (version.resource_version.empty())
        return fail(ErrorKind::kInvalidInput, "the answer is not an object with a version");
    return version;
}

std::string annotations_patch(const StringMap &annotations, const ObjectVersion &expected)
{
    json metadata = json::object();
    if (!annotations.empty())
        metadata["annotations"] = annotations;
    if (!expected.resource_version.empty())
        metadata["resourceVersion"] = expected.resource_version;
    if (!expected.uid.empty())
        metadata["uid"] = expected.uid;
    return dump(json{{"metadata", std::move(metadata)}});
}

std::string delete_options(const ObjectVersion &expected)
{
    json options{{"kind", "DeleteOptions"}, {"apiVersion", "v1"}};
    if (!expected.uid.empty())
        options["preconditions"]["uid"] = expected.uid;
    if (!expected.resource_version.empty())
        options["preconditions"]["resourceVersion"] = expected.resource_version;
    return dump(options);
}

}  // namespace tortie::kube
