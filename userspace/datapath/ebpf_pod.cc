// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_pod.h"

#include <algorithm>

#include "loader/attach.h"
#include "sys/route.h"

namespace tortie {
namespace {

// Of a link of its own: nobody else can be behind it.
std::string why_not(const Link &link)
{
    if (link.kind != "veth" || !link.peer_netns_id || *link.peer_netns_id < 0)
        return "interface " + link.name + " is no veth into another namespace";
    if (link.master_index != 0)
        return "interface " + link.name + " is the port of a bridge";
    if (link.qdisc != "noqueue")
        return "interface " + link.name + " has a queue (" + link.qdisc + ")";
    return {};
}

}  // namespace

Result<PodVeth> find_pod_veth(NetlinkSocket &route, const std::vector<Cidr> &addresses)
{
    std::optional<int> ifindex;
    for (const Cidr &address : addresses) {
        const auto out = output_ifindex(route, address.addr);
        if (!out && out.error().kind() != ErrorKind::kNotFound)
            return fail(out.error());
        if (!out || (ifindex && *ifindex != *out))
            return PodVeth{.link = {}, .obstacle = "no interface leads to all its addresses"};
        ifindex = *out;
    }
    if (!ifindex)
        return PodVeth{.link = {}, .obstacle = "it has no address"};
    TORTIE_TRY(Link link, find_link(route, *ifindex));
    std::string obstacle = why_not(link);
    if (obstacle.empty()) {
        TORTIE_TRY(const auto foreign, find_foreign_program(route, link.index));
        if (foreign)
            obstacle = "interface " + link.name + " has a " + *foreign;
    }
    if (!obstacle.empty())
        return PodVeth{.link = {}, .obstacle = std::move(obstacle)};
    return PodVeth{.link = std::move(link), .obstacle = {}};
}

const Link *find_narrower(const std::vector<Link> &uplinks, const Link &veth)
{
    const auto narrower = std::find_if(uplinks.begin(), uplinks.end(),
                                       [&](const Link &uplink) { return uplink.mtu < veth.mtu; });
    return narrower == uplinks.end() ? nullptr : &*narrower;
}

}  // namespace tortie
