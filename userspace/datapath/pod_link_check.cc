// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "datapath/pod_link.h"
#include "datapath/pod_link_parts.h"
#include "sys/link.h"
#include "sys/netlink.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

namespace tortie {
namespace {

Result<> differs(std::string what)
{
    return fail(ErrorKind::kInvalidInput, std::move(what));
}

Result<Link> find_up(NetlinkSocket &socket, const std::string &name, std::string_view whose)
{
    const std::string what = std::string(whose) + " interface " + go_quoted(name);
    auto link = find_link(socket, name);
    if (!link && link.error().kind() == ErrorKind::kNotFound)
        return fail(ErrorKind::kInvalidInput, what + " is missing");
    if (link && !link->up())
        return fail(ErrorKind::kInvalidInput, what + " is down");
    return link;
}

Result<> check_mac(const Link &link, const EtherAddr &wanted)
{
    if (std::equal(link.mac.begin(), link.mac.end(), wanted.begin(), wanted.end()))
        return {};
    return differs("interface " + go_quoted(link.name) + " has MAC " + print_mac(link.mac) +
                   " and not " + print_mac(wanted));
}

Result<> check_mtu(const Link &link, std::uint32_t wanted_bytes)
{
    if (wanted_bytes == 0 || link.mtu == wanted_bytes)
        return {};
    return differs("interface " + go_quoted(link.name) + " has MTU " + std::to_string(link.mtu) +
                   " and not " + std::to_string(wanted_bytes));
}

Result<> check_addresses(NetlinkSocket &pod, const Link &link, const PodLinkRequest &request)
{
    TORTIE_TRY(const std::vector<Cidr> have, list_addresses(pod, link));
    for (const IpAddr &address : request.addresses) {
        const Cidr wanted = host_cidr(address);
        if (std::find(have.begin(), have.end(), wanted) == have.end())
            return differs("interface " + go_quoted(link.name) + " has no address " +
                           wanted.to_string());
    }
    return {};
}

// By prefix, gateway and interface: whoever changed the metric has not cut the pod off.
Result<> check_routes(NetlinkSocket &socket, const std::vector<Route> &wanted,
                      std::string_view where)
{
    if (wanted.empty())
        return {};
    TORTIE_TRY(const std::vector<Route> have, list_routes(socket, wanted.front().to.addr.family()));
    for (const Route &route : wanted) {
        const bool there = std::any_of(have.begin(), have.end(), [&](const Route &found) {
            return found.to == route.to && found.via == route.via && found.ifindex == route.ifindex;
        });
        if (!there)
            return differs(std::string(where) + " has no route to " + route.to.to_string() +
                           (route.via ? " via " + route.via->to_string() : std::string()) +
                           " through its interface");
    }
    return {};
}

// Only what was asked for: a pod that forwards on its own account is its own business.
Result<> check_forwarding(const PodLinkRequest &request)
{
    if (!request.allow_ip_forwarding)
        return {};
    for (const auto &[family, name] : {std::pair{Family::kIpv4, "ipv4/ip_forward"},
                                       std::pair{Family::kIpv6, "ipv6/conf/all/forwarding"}}) {
        if (!has_family(request, family))
            continue;
        TORTIE_TRY(const std::string value, read_sysctl(name));
        if (value != "1")
            return differs("in the pod, " + setting_text(name, value) + " and not 1");
    }
    return {};
}

// Gives the pod's end.
Result<Link> check_pod(const PodLinkRequest &request, const std::optional<EtherAddr> &mac)
{
    TORTIE_TRY(const NetnsScope inside, NetnsScope::enter(request.netns));
    TORTIE_TRY(NetlinkSocket pod, NetlinkSocket::open(NETLINK_ROUTE));
    TORTIE_TRY(Link link, find_up(pod, request.ifname, "the pod's"));
    if (mac)
        TORTIE_DO(check_mac(link, *mac));
    TORTIE_DO(check_mtu(link, request.mtu_bytes));
    TORTIE_DO(check_addresses(pod, link, request));
    for (const Family family : {Family::kIpv4, Family::kIpv6})
        TORTIE_DO(check_routes(pod, pod_routes(request, family, link.index), "the pod"));
    TORTIE_DO(check_forwarding(request));
    return link;
}

// accept_dad matters only while an address is being given.
Result<> check_host_sysctls(const PodLinkRequest &request)
{
    for (const HostSysctl &sysctl : host_sysctls(request)) {
        if (!sysctl.needed || sysctl.name.ends_with("/accept_dad"))
            continue;
        TORTIE_TRY(const std::string value, read_sysctl(sysctl.name));
        if (value != sysctl.value)
            return differs(setting_text(sysctl.name, value) + " and not " +
                           std::string(sysctl.value));
    }
    return {};
}

Result<> check_host_routes(NetlinkSocket &node, const Link &link, const PodLinkRequest &request)
{
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        std::vector<Route> wanted;
        for (const IpAddr &address : request.addresses) {
            if (address.family() == family)
                wanted.push_back({.to = host_cidr(address), .via = {}, .ifindex = link.index});
        }
        TORTIE_DO(check_routes(node, wanted, "the node"));
    }
    return {};
}

}  // namespace

Result<> check_pod_link(const PodLinkRequest &request, const std::optional<EtherAddr> &mac)
{
    TORTIE_TRY(const Link pod, check_pod(request, mac));
    TORTIE_TRY(NetlinkSocket node, NetlinkSocket::open(NETLINK_ROUTE));
    TORTIE_TRY(const Link host, find_up(node, request.host_ifname, "the node's"));
    if (pod.peer_index != host.index)
        return differs("interface " + go_quoted(request.host_ifname) +
                       " of the node is not the other end of the pod's");
    TORTIE_DO(check_mac(host, kHostMac));
    TORTIE_DO(check_mtu(host, request.mtu_bytes));
    TORTIE_DO(check_host_sysctls(request));
    if (has_family(request, Family::kIpv6)) {
        TORTIE_TRY(const Ipv6AddressState gateway,
                   look_for_ipv6_address(node, host.index, ipv6_gateway()));
        if (gateway == Ipv6AddressState::kMissing)
            return differs("interface " + go_quoted(host.name) + " has no address " +
                           ipv6_gateway().to_string());
    }
    if (request.skip_host_side_routes)
        return {};
    return check_host_routes(node, host, request);
}

}  // namespace tortie
