// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_entries.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "datapath/port_claim.h"

namespace tortie {
namespace {

constexpr std::size_t kIpv4Offset = 12;  // behind ::ffff:

IpAddr any_of(Family family)
{
    return *IpAddr::parse(family == Family::kIpv4 ? "0.0.0.0" : "::");
}

const std::vector<std::string> &conditions_of(const PortPolicy &policy, Family family)
{
    return family == Family::kIpv4 ? policy.conditions_v4 : policy.conditions_v6;
}

// Somebody else's claim catches the packets first.
bool is_held(const PublishedPort &port, const std::vector<PublishedPort> &held)
{
    return std::any_of(held.begin(), held.end(), [&](const PublishedPort &other) {
        const bool every = !other.host_ip || other.host_ip->is_unspecified();
        return other.protocol == port.protocol && other.host_port == port.host_port &&
               other.target.family() == port.target.family() &&
               (every || other.host_ip == port.host_ip);
    });
}

}  // namespace

PodAddress map_address(const IpAddr &address)
{
    PodAddress bytes{};
    const auto from = address.bytes_be();
    if (address.family() == Family::kIpv4)
        bytes[10] = bytes[11] = 0xff;
    std::copy(from.begin(), from.end(), bytes.end() - static_cast<std::ptrdiff_t>(from.size()));
    return bytes;
}

IpAddr unmap_address(const PodAddress &address)
{
    const PodAddress mapped = map_address(any_of(Family::kIpv4));
    const bool ipv4 = std::equal(mapped.begin(), mapped.begin() + kIpv4Offset, address.begin());
    return IpAddr::from_bytes(std::span(address).subspan(ipv4 ? kIpv4Offset : 0));
}

IpAddr ipv4_address(__u32 address_be)
{
    std::array<std::uint8_t, sizeof(address_be)> bytes{};
    std::memcpy(bytes.data(), &address_be, bytes.size());
    return IpAddr::from_bytes(bytes);
}

bool is_waiting(const pm_pod &pod)
{
    return pod.flags != 0 && pod.own_ingress == 0;
}

void write_address(__u32 (&to_be)[4], const IpAddr &address)
{
    const PodAddress mapped = map_address(address);
    std::memcpy(to_be, mapped.data(), sizeof(to_be));
}

PodAddress address_in(const __u32 (&bytes_be)[4])
{
    PodAddress address;
    std::memcpy(address.data(), bytes_be, sizeof(bytes_be));
    return address;
}

pm_hostport_key hostport_key(const PublishedPort &port)
{
    pm_hostport_key key{};
    write_address(key.addr_be, port.host_ip.value_or(any_of(port.target.family())));
    key.port_be = htons(port.host_port);
    key.l4_proto = static_cast<std::uint8_t>(port.protocol);
    return key;
}

pm_podport_key podport_key(const PublishedPort &port)
{
    pm_podport_key key{};
    write_address(key.addr_be, port.target);
    key.port_be = htons(port.target_port);
    key.l4_proto = static_cast<std::uint8_t>(port.protocol);
    return key;
}

bool is_carried(const PublishedPort &port)
{
    return (port.protocol == Protocol::kTcp || port.protocol == Protocol::kUdp) &&
           (!port.host_ip || !port.host_ip->is_loopback());
}

std::vector<PublishedPort> carried_ports(const Publication &publication,
                                         const std::vector<PublishedPort> &held)
{
    const PortPolicy &policy = publication.policy;
    std::vector<PublishedPort> ports;
    if (policy.masq_all || !policy.external_set_mark_chain.empty())
        return ports;
    for (const PublishedPort &port : ports_of(publication)) {
        if (is_carried(port) && !is_held(port, held) &&
            conditions_of(policy, port.target.family()).empty())
            ports.push_back(port);
    }
    return ports;
}

}  // namespace tortie
