// SPDX-License-Identifier: Apache-2.0
#include "store/names.h"

#include <algorithm>

#include "base/base32.h"
#include "base/sha256.h"
#include "base/strings.h"

namespace tortie::store {
namespace {

struct KeyWords {
    std::string operator()(const BlockKey &key) const { return "block " + key.cidr.to_string(); }
    std::string operator()(const AffinityKey &key) const
    {
        return "affinity of " + key.host + " to " + key.cidr.to_string();
    }
    std::string operator()(const HandleKey &key) const { return "handle " + key.id; }
    std::string operator()(const IpamConfigKey &) const { return "IPAM configuration"; }
    std::string operator()(const PoolKey &key) const { return "IPPool(" + key.name + ')'; }
    std::string operator()(const ReservationKey &key) const
    {
        return "IPReservation(" + key.name + ')';
    }
    std::string operator()(const NodeKey &key) const { return "Node(" + key.name + ')'; }
    std::string operator()(const ClusterInformationKey &) const
    {
        return "ClusterInformation(default)";
    }
    std::string operator()(const EndpointKey &key) const
    {
        return "WorkloadEndpoint(" + key.ns + '/' + key.name + ')';
    }
    std::string operator()(const ProfileKey &key) const { return "Profile(" + key.name + ')'; }
    std::string operator()(const PodKey &key) const { return "pod " + key.ns + '/' + key.name; }
    std::string operator()(const NamespaceKey &key) const { return "namespace " + key.name; }
    std::string operator()(const VmiKey &key) const
    {
        return "virtual machine instance " + key.ns + '/' + key.name;
    }
    std::string operator()(const VmKey &key) const
    {
        return "virtual machine " + key.ns + '/' + key.name;
    }
};

struct KubeName {
    std::string operator()(const BlockKey &key) const { return cidr_name(key.cidr); }
    std::string operator()(const AffinityKey &key) const
    {
        return affinity_name(key.host, key.cidr);
    }
    std::string operator()(const HandleKey &key) const { return ascii_lower(key.id); }
    std::string operator()(const IpamConfigKey &) const { return "default"; }
    std::string operator()(const ClusterInformationKey &) const { return "default"; }
    template <class Named>
    std::string operator()(const Named &key) const
    {
        return key.name;
    }
};

struct KeyOf {
    Key operator()(const Block &d) const { return BlockKey{d.cidr}; }
    Key operator()(const Affinity &d) const { return AffinityKey{d.host, d.cidr, d.type}; }
    Key operator()(const Handle &d) const { return HandleKey{d.id}; }
    Key operator()(const IpamConfig &) const { return IpamConfigKey{}; }
    Key operator()(const Pool &d) const { return PoolKey{d.name}; }
    Key operator()(const Reservation &d) const { return ReservationKey{d.name}; }
    Key operator()(const Node &d) const { return NodeKey{d.name}; }
    Key operator()(const ClusterInformation &) const { return ClusterInformationKey{}; }
    Key operator()(const Endpoint &d) const { return EndpointKey{d.ns, d.name}; }
    Key operator()(const Profile &d) const { return ProfileKey{d.name}; }
    Key operator()(const kube::Pod &d) const { return PodKey{d.meta.ns, d.meta.name}; }
    Key operator()(const kube::Namespace &d) const { return NamespaceKey{d.meta.name}; }
    Key operator()(const kube::VirtualMachine &d) const { return VmKey{d.meta.ns, d.meta.name}; }
};

}  // namespace

std::string cidr_name(const Cidr &cidr)
{
    std::string name = cidr.to_string();
    for (char &c : name) {
        if (c == '.' || c == ':' || c == '/')
            c = '-';
    }
    return name;
}

std::optional<Cidr> cidr_from_name(std::string_view name)
{
    const std::size_t slash = name.rfind('-');
    if (slash == std::string_view::npos)
        return std::nullopt;
    const auto parts = std::count(name.begin(), name.end(), '-') + 1;
    const bool ipv4 = parts == 5 && name.find("--") == std::string_view::npos;
    std::string text(name);
    std::replace(text.begin(), text.end(), '-', ipv4 ? '.' : ':');
    text[slash] = '/';
    std::optional<Cidr> cidr = Cidr::parse(text);
    if (!cidr || cidr_name(*cidr) != name)
        return std::nullopt;
    return cidr;
}

std::string affinity_name(std::string_view host, const Cidr &cidr)
{
    // Kubernetes' limit is 253, Go's code shortens from there on and to one less.
    constexpr std::size_t kLongest = 252;
    constexpr std::size_t kHashDigits = 11;
    const std::string block = cidr_name(cidr);
    std::string name = std::string(host) + '-' + block;
    if (name.size() <= kLongest)
        return name;
    const std::string hash = hex_encode(sha256(std::string(host) + '+' + block));
    const std::size_t kept = kLongest - block.size() - kHashDigits - 2;
    return std::string(host.substr(0, kept)) + '-' + block + '-' + hash.substr(0, kHashDigits);
}

std::string hostname_hash(std::string_view host)
{
    return base32_encode(sha3_256(host));
}

StringMap affinity_labels(const Affinity &affinity)
{
    const bool ipv4 = affinity.cidr.addr.family() == Family::kIpv4;
    return {
        {"projectcalico.org/affinity-type",
         affinity.type == AffinityType::kHost ? "host" : "virtual"},
        {"projectcalico.org/hostname-hash", hostname_hash(affinity.host)},
        {"projectcalico.org/ip-version", ipv4 ? "4" : "6"},
    };
}

std::string_view handle_id_of(std::string_view stored)
{
    return stored.substr(0, stored.find('\r'));
}

std::string describe(const Key &key)
{
    return std::visit(KeyWords{}, key);
}

std::string kube_name(const Key &key)
{
    return std::visit(KubeName{}, key);
}

Key key_of(const Document &document)
{
    return std::visit(KeyOf{}, document);
}

}  // namespace tortie::store
