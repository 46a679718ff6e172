// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/strings.h"
#include "store/names.h"

namespace tortie::store {
namespace {

constexpr std::string_view kBlocks = "/calico/ipam/v2/assignment/";
constexpr std::string_view kHosts = "/calico/ipam/v2/host/";
constexpr std::string_view kVirtuals = "/calico/ipam/v2/virtual/";
constexpr std::string_view kHandles = "/calico/ipam/v2/handle/";
constexpr std::string_view kIpamConfig = "/calico/ipam/v2/config";
constexpr std::string_view kResources = "/calico/resources/v3/projectcalico.org/";

// Node names, pool names and the like; their length is bounded by who makes them, this is only
// what etcd would still take.
constexpr std::size_t kMaxName = 1024;

bool is_component(std::string_view name)
{
    const auto forbidden = [](char c) {
        return c == '/' || static_cast<unsigned char>(c) < ' ' || c == 0x7f;
    };
    return !name.empty() && name.size() <= kMaxName &&
           std::none_of(name.begin(), name.end(), forbidden);
}

Result<std::string> component(std::string_view name)
{
    if (!is_component(name))
        return fail(ErrorKind::kInvalidInput,
                    go_quoted(name.substr(0, 256)) + " cannot be part of a key");
    return std::string(name);
}

// "ipv4/block/10.0.0.0-26"
std::string block_part(const Cidr &cidr)
{
    std::string name = cidr.to_string();
    std::replace(name.begin(), name.end(), '/', '-');
    return (cidr.addr.family() == Family::kIpv4 ? "ipv4/block/" : "ipv6/block/") + name;
}

std::optional<Cidr> parse_block_part(std::string_view part)
{
    std::string text(part.substr(std::min(part.size(), std::string_view("ipv4/block/").size())));
    const std::size_t slash = text.rfind('-');
    if (slash == std::string::npos)
        return std::nullopt;
    text[slash] = '/';
    const std::optional<Cidr> cidr = Cidr::parse(text);
    if (!cidr || block_part(*cidr) != part || cidr->network() != cidr->addr)
        return std::nullopt;
    return cidr;
}

std::string resource(std::string_view plural)
{
    return std::string(kResources) + std::string(plural) + '/';
}

Result<std::string> named(std::string prefix, std::string_view name)
{
    TORTIE_TRY(const std::string last, component(name));
    return std::move(prefix) + last;
}

std::string_view affinities_of(AffinityType type)
{
    return type == AffinityType::kHost ? kHosts : kVirtuals;
}

Error not_here(std::string_view what)
{
    return Error(ErrorKind::kUnsupported, "this datastore holds no " + std::string(what));
}

struct KeyText {
    Result<std::string> operator()(const BlockKey &key) const
    {
        return std::string(kBlocks) + block_part(key.cidr);
    }
    Result<std::string> operator()(const AffinityKey &key) const
    {
        TORTIE_TRY(const std::string host, component(key.host));
        return std::string(affinities_of(key.type)) + host + '/' + block_part(key.cidr);
    }
    Result<std::string> operator()(const HandleKey &key) const
    {
        return named(std::string(kHandles), key.id);
    }
    Result<std::string> operator()(const IpamConfigKey &) const { return std::string(kIpamConfig); }
    Result<std::string> operator()(const PoolKey &key) const
    {
        return named(resource("ippools"), key.name);
    }
    Result<std::string> operator()(const ReservationKey &key) const
    {
        return named(resource("ipreservations"), key.name);
    }
    Result<std::string> operator()(const NodeKey &key) const
    {
        return named(resource("nodes"), key.name);
    }
    Result<std::string> operator()(const ClusterInformationKey &) const
    {
        return resource("clusterinformations") + "default";
    }
    Result<std::string> operator()(const EndpointKey &key) const
    {
        TORTIE_TRY(const std::string ns, component(key.ns));
        return named(resource("workloadendpoints") + ns + '/', key.name);
    }
    Result<std::string> operator()(const ProfileKey &key) const
    {
        return named(resource("profiles"), key.name);
    }
    Result<std::string> operator()(const PodKey &) const { return fail(not_here("pods")); }
    Result<std::string> operator()(const NamespaceKey &) const
    {
        return fail(not_here("namespaces"));
    }
    Result<std::string> operator()(const VmiKey &) const
    {
        return fail(not_here("virtual machine instances"));
    }
    Result<std::string> operator()(const VmKey &) const
    {
        return fail(not_here("virtual machines"));
    }
};

struct PrefixText {
    Result<std::string> operator()(const Key &key) const { return etcd_key(key); }
    Result<std::string> operator()(const ListBlocks &) const { return std::string(kBlocks); }
    Result<std::string> operator()(const ListAffinities &list) const
    {
        const std::string all(affinities_of(list.type));
        if (list.host.empty())
            return all;
        TORTIE_TRY(const std::string host, component(list.host));
        return all + host + '/';
    }
    Result<std::string> operator()(const ListUnlabelledAffinities &) const
    {
        return fail(not_here("labels"));
    }
    Result<std::string> operator()(const ListHandles &) const { return std::string(kHandles); }
    Result<std::string> operator()(const ListPools &) const { return resource("ippools"); }
    Result<std::string> operator()(const ListReservations &) const
    {
        return resource("ipreservations");
    }
    Result<std::string> operator()(const ListNodes &) const { return resource("nodes"); }
    Result<std::string> operator()(const ListEndpoints &list) const
    {
        std::string all = resource("workloadendpoints");
        if (list.ns.empty())
            return all;
        TORTIE_TRY(const std::string ns, component(list.ns));
        all += ns + '/';
        if (list.name_prefix.empty())
            return all;
        return named(std::move(all), list.name_prefix);
    }
    Result<std::string> operator()(const ListPodsOnNode &) const { return fail(not_here("pods")); }
};

// What follows `prefix`; nullopt when the text does not begin with it.
std::optional<std::string_view> after(std::string_view text, std::string_view prefix)
{
    if (text.substr(0, prefix.size()) != prefix)
        return std::nullopt;
    return text.substr(prefix.size());
}

std::optional<Key> affinity_key(std::string_view rest, AffinityType type)
{
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos || !is_component(rest.substr(0, slash)))
        return std::nullopt;
    const std::optional<Cidr> cidr = parse_block_part(rest.substr(slash + 1));
    if (!cidr)
        return std::nullopt;
    return AffinityKey{std::string(rest.substr(0, slash)), *cidr, type};
}

std::optional<Key> resource_key(std::string_view rest)
{
    const std::vector<std::string_view> parts = split(rest, '/');
    if (!std::all_of(parts.begin(), parts.end(), is_component))
        return std::nullopt;
    if (parts.size() == 3 && parts[0] == "workloadendpoints")
        return EndpointKey{std::string(parts[1]), std::string(parts[2])};
    if (parts.size() != 2)
        return std::nullopt;
    std::string name(parts[1]);
    if (parts[0] == "ippools")
        return PoolKey{std::move(name)};
    if (parts[0] == "ipreservations")
        return ReservationKey{std::move(name)};
    if (parts[0] == "nodes")
        return NodeKey{std::move(name)};
    if (parts[0] == "profiles")
        return ProfileKey{std::move(name)};
    if (parts[0] == "clusterinformations" && name == "default")
        return ClusterInformationKey{};
    return std::nullopt;
}

}  // namespace

Result<std::string> etcd_key(const Key &key)
{
    return std::visit(KeyText{}, key);
}

Result<std::string> etcd_prefix(const Query &list)
{
    return std::visit(PrefixText{}, list);
}

std::optional<Key> key_from_etcd(std::string_view text)
{
    if (text == kIpamConfig)
        return IpamConfigKey{};
    if (const auto block = after(text, kBlocks)) {
        const std::optional<Cidr> cidr = parse_block_part(*block);
        return cidr ? std::optional<Key>(BlockKey{*cidr}) : std::nullopt;
    }
    if (const auto host = after(text, kHosts))
        return affinity_key(*host, AffinityType::kHost);
    if (const auto name = after(text, kVirtuals))
        return affinity_key(*name, AffinityType::kVirtual);
    if (const auto id = after(text, kHandles))
        return is_component(*id) ? std::optional<Key>(HandleKey{std::string(*id)}) : std::nullopt;
    if (const auto rest = after(text, kResources))
        return resource_key(*rest);
    return std::nullopt;
}

}  // namespace tortie::store
