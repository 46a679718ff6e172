// SPDX-License-Identifier: Apache-2.0
#include "datapath/uplinks.h"

#include <net/if_arp.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "sys/route.h"

namespace tortie {
namespace {

// Where a device's routes lead.
struct Reach {
    bool beyond = false;   // to others, through a gateway or by default
    bool network = false;  // to a network of its own
};

bool is_link_local(const IpAddr &address)
{
    return address.family() == Family::kIpv6 &&
           Cidr{*IpAddr::parse("fe80::"), 10}.contains(address);
}

bool is_multicast(const IpAddr &address)
{
    return address.family() == Family::kIpv6 && address.bytes_be()[0] == 0xff;
}

void note(std::map<int, Reach> &reach, const Route &route)
{
    if (is_link_local(route.to.addr) || is_multicast(route.to.addr))
        return;
    Reach &found = reach[route.ifindex];
    if (route.via || route.to.prefix == 0)
        found.beyond = true;
    else if (route.to.prefix < width_bits(route.to.addr.family()))
        found.network = true;
}

bool may_be_uplink(const Link &link, const Reach &reach)
{
    constexpr std::string_view kTunnels[] = {"vxlan", "geneve", "gretap", "ip6gretap", "erspan"};
    const bool tunnel = std::any_of(std::begin(kTunnels), std::end(kTunnels),
                                    [&](std::string_view kind) { return link.kind == kind; });
    if (!link.up() || link.hardware != ARPHRD_ETHER || link.master_index != 0 || tunnel)
        return false;
    const bool towards_pods = link.kind == "bridge" || link.kind == "veth";
    return reach.beyond || (reach.network && !towards_pods);
}

}  // namespace

Result<std::vector<Link>> find_uplinks(NetlinkSocket &route, const std::set<int> &pod_devices)
{
    std::map<int, Reach> reach;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        TORTIE_TRY(const auto routes, list_routes(route, family));
        for (const Route &one : routes)
            if (one.ifindex != 0 && !pod_devices.contains(one.ifindex))
                note(reach, one);
    }
    std::vector<Link> uplinks;
    for (const auto &[ifindex, found] : reach) {
        if (!found.beyond && !found.network)
            continue;
        auto link = find_link(route, ifindex);
        if (!link && link.error().kind() == ErrorKind::kNotFound)
            continue;
        if (!link)
            return fail(std::move(link).error());
        if (may_be_uplink(*link, found))
            uplinks.push_back(*std::move(link));
    }
    return uplinks;
}

}  // namespace tortie
