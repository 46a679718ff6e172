// SPDX-License-Identifier: Apache-2.0
#include "calico/manifest_codec.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "calico/pool_rules.h"
#include "store/codec.h"

namespace tortie::calico {
namespace {

using nlohmann::json;

enum class Type : std::uint8_t { kText, kFlag, kNumber, kTexts, kAny };

struct Member {
    std::string_view name;
    Type type = Type::kText;
};

struct Kind {
    std::string_view name;
    std::string_view v1_name;  // in crd.projectcalico.org/v1
    std::vector<Member> members;
};

const std::array<Kind, 5> &kinds()
{
    static const std::array<Kind, 5> all = {{
        {"IPPool",
         "IPPool",
         {{"cidr", Type::kText},
          {"blockSize", Type::kNumber},
          {"disabled", Type::kFlag},
          {"disableBGPExport", Type::kFlag},
          {"ipipMode", Type::kText},
          {"vxlanMode", Type::kText},
          {"natOutgoing", Type::kFlag},
          {"nodeSelector", Type::kText},
          {"namespaceSelector", Type::kText},
          {"allowedUses", Type::kTexts},
          {"assignmentMode", Type::kText}}},
        {"IPReservation", "IPReservation", {{"reservedCIDRs", Type::kTexts}}},
        {"IPAMConfiguration",
         "IPAMConfig",
         {{"strictAffinity", Type::kFlag},
          {"autoAllocateBlocks", Type::kFlag},
          {"maxBlocksPerHost", Type::kNumber},
          {"kubeVirtVMAddressPersistence", Type::kText},
          {"ipCooldownSeconds", Type::kNumber}}},
        {"ClusterInformation",
         "ClusterInformation",
         {{"clusterGUID", Type::kText},
          {"clusterType", Type::kText},
          {"calicoVersion", Type::kText},
          {"datastoreReady", Type::kFlag},
          {"variant", Type::kText}}},
        {"Node",
         "Node",
         {{"bgp", Type::kAny},
          {"ipv4VXLANTunnelAddr", Type::kText},
          {"vxlanTunnelMACAddr", Type::kText},
          {"ipv6VXLANTunnelAddr", Type::kText},
          {"vxlanTunnelMACAddrV6", Type::kText},
          {"orchRefs", Type::kAny},
          {"wireguard", Type::kAny},
          {"addresses", Type::kAny},
          {"interfaces", Type::kAny}}},
    }};
    return all;
}

tl::unexpected<Error> refuse(const std::string &what)
{
    return fail(ErrorKind::kInvalidInput, what);
}

bool has_type(const json &value, Type type)
{
    switch (type) {
    case Type::kText:
        return value.is_string();
    case Type::kFlag:
        return value.is_boolean();
    case Type::kNumber:
        return value.is_number_integer();
    case Type::kTexts:
        return value.is_array() && std::all_of(value.begin(), value.end(),
                                               [](const json &each) { return each.is_string(); });
    default:
        return true;
    }
}

std::string_view words_for(Type type)
{
    switch (type) {
    case Type::kText:
        return "must be a text";
    case Type::kFlag:
        return "must be true or false";
    case Type::kNumber:
        return "must be a whole number";
    default:
        return "must be a list of texts";
    }
}

// Every member known and of its type; null is absence.
Result<> check_spec(json &spec, const Kind &kind)
{
    for (auto it = spec.begin(); it != spec.end();) {
        if (it.value().is_null()) {
            it = spec.erase(it);
            continue;
        }
        const auto member = std::find_if(kind.members.begin(), kind.members.end(),
                                         [&](const Member &each) { return each.name == it.key(); });
        if (member == kind.members.end())
            return refuse("spec." + it.key() + ": unknown field");
        if (!has_type(it.value(), member->type))
            return refuse("spec." + it.key() + ": " + std::string(words_for(member->type)));
        ++it;
    }
    return {};
}

// What Calico's client fills in before it stores a pool.
void fill_pool(json &spec, const PoolDefaults &defaults)
{
    const auto fill = [&](const char *member, const json &value) {
        if (spec.value(member, json("")) == json(""))
            spec[member] = value;
    };
    fill("blockSize", defaults.block_size);
    fill("ipipMode", "Never");
    fill("vxlanMode", "Never");
    fill("nodeSelector", "all()");
    fill("allowedUses", json::array({"Workload", "Tunnel"}));
    fill("assignmentMode", "Automatic");
}

std::string text_at(const json &object, const char *member)
{
    const auto found = object.find(member);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

PoolText pool_text(const json &spec)
{
    PoolText pool;
    pool.cidr = text_at(spec, "cidr");
    pool.block_size = spec.value("blockSize", std::int64_t{0});
    pool.ipip_mode = text_at(spec, "ipipMode");
    pool.vxlan_mode = text_at(spec, "vxlanMode");
    pool.node_selector = text_at(spec, "nodeSelector");
    pool.namespace_selector = text_at(spec, "namespaceSelector");
    pool.assignment_mode = text_at(spec, "assignmentMode");
    pool.allowed_uses = spec.value("allowedUses", std::vector<std::string>());
    pool.disabled = spec.value("disabled", false);
    return pool;
}

Result<> check_config(const json &spec)
{
    const std::int64_t blocks = spec.value("maxBlocksPerHost", std::int64_t{0});
    const bool strict = spec.value("strictAffinity", false);
    const std::int64_t cooldown = spec.value("ipCooldownSeconds", std::int64_t{0});
    const std::string persistence = text_at(spec, "kubeVirtVMAddressPersistence");
    if (blocks < 0 || blocks > 1'000'000)
        return refuse("spec.maxBlocksPerHost: must be from 0 to 1000000");
    if (cooldown < 0 || cooldown > 1200)
        return refuse("spec.ipCooldownSeconds: must be from 0 to 1200");
    if (!persistence.empty() && persistence != "Enabled" && persistence != "Disabled")
        return refuse("spec.kubeVirtVMAddressPersistence: must be Enabled or Disabled");
    if (!strict && !spec.value("autoAllocateBlocks", true))
        return refuse("Cannot disable 'StrictAffinity' and 'AutoAllocateBlocks' at the same time");
    if (blocks > 0 && !strict)
        return refuse("MaxBlocksPerHost requires StrictAffinity to be enabled");
    return {};
}

Result<> check_kind(json &spec, const Kind &kind, const std::string &name)
{
    if (kind.name == "IPPool") {
        TORTIE_TRY(const PoolDefaults defaults, defaults_for(text_at(spec, "cidr")));
        fill_pool(spec, defaults);
        return check_pool(pool_text(spec));
    }
    if (kind.name == "IPReservation")
        return check_reservation(spec.value("reservedCIDRs", std::vector<std::string>()));
    const bool single = kind.name == "IPAMConfiguration" || kind.name == "ClusterInformation";
    if (single && name != "default")
        return refuse("metadata.name: must be default");
    return kind.name == "IPAMConfiguration" ? check_config(spec) : Result<>();
}

store::Key key_for(const Kind &kind, const std::string &name)
{
    if (kind.name == "IPPool")
        return store::PoolKey{name};
    if (kind.name == "IPReservation")
        return store::ReservationKey{name};
    if (kind.name == "IPAMConfiguration")
        return store::IpamConfigKey{};
    if (kind.name == "ClusterInformation")
        return store::ClusterInformationKey{};
    return store::NodeKey{name};
}

const Kind *kind_of(const json &object)
{
    const std::string group = text_at(object, "apiVersion");
    const std::string name = text_at(object, "kind");
    for (const Kind &kind : kinds()) {
        if ((group == "projectcalico.org/v3" && name == kind.name) ||
            (group == "crd.projectcalico.org/v1" && name == kind.v1_name && kind.name != "Node"))
            return &kind;
    }
    return nullptr;
}

Result<Resource> read_known(const json &object, const Kind &kind, const std::string &name)
{
    if (!is_resource_name(name))
        return refuse("metadata.name: must be lower-case letters, digits, '-' and '.'");
    json spec = object.value("spec", json::object());
    if (!spec.is_object())
        return refuse("spec: must be an object");
    TORTIE_DO(check_spec(spec, kind));
    TORTIE_DO(check_kind(spec, kind, name));

    json metadata = {{"name", name}};
    for (const char *member : {"labels", "annotations"}) {
        const auto found = object["metadata"].find(member);
        if (found != object["metadata"].end() && !found->is_null())
            metadata[member] = *found;
    }
    const json whole = {{"apiVersion", "projectcalico.org/v3"},
                        {"kind", kind.name},
                        {"metadata", metadata},
                        {"spec", spec}};
    Resource resource;
    resource.kind = kind.name;
    resource.name = name;
    resource.key = key_for(kind, name);
    const auto spelling = kind.name == "Node" ? store::Spelling::kEtcd : store::Spelling::kCrdV3;
    TORTIE_TRY(store::Stored stored, store::decode(resource.key, whole.dump(), spelling));
    resource.document = std::move(stored.document);
    return resource;
}

Result<Resource> read_resource(const json &object)
{
    if (!object.is_object() || !object.contains("metadata") || !object["metadata"].is_object())
        return refuse("not a resource: no metadata");
    const std::string name = text_at(object["metadata"], "name");
    const std::string label = text_at(object, "kind") + '/' + name;
    const Kind *kind = kind_of(object);
    if (kind == nullptr)
        return refuse(label + ": no resource of this program: " + text_at(object, "apiVersion") +
                      ' ' + text_at(object, "kind"));
    auto resource = read_known(object, *kind, name);
    if (!resource)
        return fail(std::move(resource).error().within(label));
    return resource;
}

std::string shown(const json *value)
{
    return value == nullptr ? "absent"
                            : value->dump(-1, ' ', false, json::error_handler_t::replace);
}

void compare(const std::string &path, const json &before, const json &after,
             std::vector<std::string> &changes)
{
    std::set<std::string> members;
    for (const json *object : {&before, &after}) {
        for (const auto &item : object->items())
            members.insert(item.key());
    }
    for (const std::string &member : members) {
        const auto old = before.find(member);
        const auto now = after.find(member);
        const json *from = old == before.end() ? nullptr : &*old;
        const json *to = now == after.end() ? nullptr : &*now;
        const std::string at = path.empty() ? member : std::string(path).append(".").append(member);
        if (from != nullptr && to != nullptr && from->is_object() && to->is_object())
            compare(at, *from, *to, changes);
        else if (from == nullptr || to == nullptr || *from != *to)
            changes.push_back(at + ": " + shown(from) + " -> " + shown(to));
    }
}

}  // namespace

Result<std::vector<Resource>> read_resources(std::string_view text)
{
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object())
        return refuse("not a resource: no object");
    std::vector<Resource> resources;
    const auto items = object.find("items");
    if (text_at(object, "kind").ends_with("List") && items != object.end() && items->is_array()) {
        for (const json &item : *items) {
            TORTIE_TRY(Resource resource, read_resource(item));
            resources.push_back(std::move(resource));
        }
        return resources;
    }
    TORTIE_TRY(Resource resource, read_resource(object));
    resources.push_back(std::move(resource));
    return resources;
}

std::vector<std::string> differences(std::string_view before, std::string_view after)
{
    const json old = json::parse(before, nullptr, false);
    const json now = json::parse(after, nullptr, false);
    std::vector<std::string> changes;
    if (old.is_object() && now.is_object())
        compare("", old, now, changes);
    return changes;
}

}  // namespace tortie::calico
