// SPDX-License-Identifier: Apache-2.0
#include "datapath/pod_link_parts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.h"
#include "sys/netlink_batch.h"

namespace tortie {

std::vector<Cidr> default_pod_routes()
{
    constexpr std::array<std::uint8_t, 16> kAny{};
    return {{IpAddr(), 0}, {IpAddr::from_bytes(kAny), 0}};
}

IpAddr ipv4_gateway()
{
    constexpr std::array<std::uint8_t, 4> kGateway = {169, 254, 1, 1};
    return IpAddr::from_bytes(kGateway);
}

IpAddr ipv6_gateway()
{
    constexpr std::array<std::uint8_t, 16> kGateway = {
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0xec, 0xee, 0xee, 0xff, 0xfe, 0xee, 0xee, 0xee};
    return IpAddr::from_bytes(kGateway);
}

bool has_family(const PodLinkRequest &request, Family family)
{
    return std::any_of(request.addresses.begin(), request.addresses.end(),
                       [&](const IpAddr &addr) { return addr.family() == family; });
}

Cidr host_cidr(const IpAddr &addr)
{
    return {addr, width_bits(addr.family())};
}

std::vector<Route> pod_routes(const PodLinkRequest &request, Family family, int ifindex)
{
    std::vector<Route> routes;
    if (!has_family(request, family))
        return routes;
    const IpAddr gateway = family == Family::kIpv4 ? ipv4_gateway() : ipv6_gateway();
    if (family == Family::kIpv4)
        routes.push_back({.to = host_cidr(gateway), .via = {}, .ifindex = ifindex});
    for (const Cidr &route : request.routes) {
        if (route.addr.family() == family)
            routes.push_back(
                {.to = {route.network(), route.prefix}, .via = gateway, .ifindex = ifindex});
    }
    return routes;
}

std::vector<HostSysctl> host_sysctls(const PodLinkRequest &request)
{
    const std::string &name = request.host_ifname;
    const std::string ipv4 = "ipv4/conf/" + name + '/';
    const std::string ipv6 = "ipv6/conf/" + name + '/';
    std::vector<HostSysctl> sysctls;
    if (has_family(request, Family::kIpv4)) {
        sysctls.push_back({ipv4 + "route_localnet", "1", true});
        sysctls.push_back({"ipv4/neigh/" + name + "/proxy_delay", "0", false});
        sysctls.push_back({ipv4 + "proxy_arp", "1", true});
        sysctls.push_back({ipv4 + "forwarding", "1", true});
    }
    if (has_family(request, Family::kIpv6)) {
        sysctls.push_back({ipv6 + "accept_dad", "0", true});
        sysctls.push_back({ipv6 + "disable_ipv6", "0", true});
        sysctls.push_back({ipv6 + "proxy_ndp", "1", true});
        sysctls.push_back({ipv6 + "forwarding", "1", true});
    }
    sysctls.push_back({ipv6 + "accept_ra", "0", false});
    return sysctls;
}

Result<> run_steps(NetlinkSocket &socket, std::vector<Step> steps, std::string_view doing,
                   const NetlinkSocket::OnReply &each)
{
    std::vector<NetlinkMessage> messages;
    messages.reserve(steps.size());
    for (Step &step : steps)
        messages.push_back(std::move(step.message));
    TORTIE_TRY(const std::vector<int> errors, request_all(socket, messages, doing, each));
    for (std::size_t i = 0; i < errors.size(); ++i) {
        if (errors[i] != 0)
            return fail(go_error(errors[i], steps[i].failure));
    }
    return {};
}

std::string setting_text(std::string_view name, std::string_view value)
{
    std::string dotted(name);
    std::replace(dotted.begin(), dotted.end(), '/', '.');
    return "net." + dotted + '=' + std::string(value);
}

}  // namespace tortie
