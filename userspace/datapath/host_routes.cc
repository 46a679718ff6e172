// SPDX-License-Identifier: Apache-2.0
#include "datapath/host_routes.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "sys/netlink_batch.h"
#include "sys/route.h"

namespace tortie {
namespace {

// Where the kernel puts a route without a metric (IP6_RT_PRIO_USER in net/ip6_route.h).
constexpr std::uint32_t kIpv6Metric = 1024;

// Between the refusal and the look somebody may take the route away, or make it.
constexpr int kAttempts = 3;

Route host_route(const Link &link, const IpAddr &address)
{
    return {.to = {address, width_bits(address.family())}, .via = {}, .ifindex = link.index};
}

std::string describe(const Route &route, std::string_view scope)
{
    return "(Ifindex: " + std::to_string(route.ifindex) + ", Dst: " + route.to.to_string() +
           ", Scope: " + std::string(scope);
}

// The one that keeps ours out: same prefix, same metric.
Result<std::optional<Route>> find_rival(NetlinkSocket &node, const Route &route)
{
    const Family family = route.to.addr.family();
    const std::uint32_t metric = family == Family::kIpv4 ? 0 : kIpv6Metric;
    TORTIE_TRY(const std::vector<Route> routes, list_routes(node, family));
    std::optional<Route> rival;
    for (const Route &found : routes) {
        if (found.to != route.to || found.metric != metric)
            continue;
        if (!rival || found.ifindex == route.ifindex)
            rival = found;
    }
    return rival;
}

// The interface of a pod that is gone, or of one whose end has been taken down: its address has
// been given to another pod, so this is what counts.
bool is_orphan(const Link &link, std::string_view prefix)
{
    const bool of_pod = link.name.starts_with("cali") || link.name.starts_with(prefix);
    const bool going = link.peer_netns_id && *link.peer_netns_id < 0;
    return of_pod && (going || !link.carrier());
}

class Claim {
public:
    Claim(NetlinkSocket &node, const Link &link, std::string_view prefix)
        : node_(node), link_(link), prefix_(prefix)
    {
    }

    // After EEXIST for the route.
    Result<> take(const Route &route)
    {
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            TORTIE_TRY(const std::optional<Route> rival, find_rival(node_, route));
            if (rival && rival->ifindex == link_.index)
                return {};
            const auto then = rival ? IfRouteExists::kReplace : IfRouteExists::kFail;
            if (rival)
                TORTIE_DO(must_be_orphan(route, *rival));
            auto added = add(route, then);
            if (added || added.error().sys_errno() != EEXIST)
                return added;
        }
        return fail(ErrorKind::kTryAgain, "route " + describe(route, "link") + ") kept changing");
    }

    Result<> add(const Route &route, IfRouteExists then)
    {
        NetlinkMessage message = new_route(route, then);
        const auto added = node_.request(message, "add route");
        return added ? Result<>() : fail(refused(route, added.error().sys_errno()));
    }

    Error refused(const Route &route, int err) const
    {
        return go_error(
            err, "failed to add route " + describe(route, "link") + ", Iface: " + link_.name + ")");
    }

private:
    Result<> must_be_orphan(const Route &route, const Route &rival)
    {
        const auto owner = find_link(node_, rival.ifindex);
        const bool gone = !owner && owner.error().kind() == ErrorKind::kNotFound;
        if ((gone && rival.ifindex != 0) || (owner && is_orphan(*owner, prefix_))) {
            log::warn("Taking over the host route of a pod that is gone",
                      {{"route", route.to.to_string()}, {"interface", owner ? owner->name : ""}});
            return {};
        }
        // The kernel has no scopes for IPv6 and shows every route as global.
        const bool ipv4 = route.to.addr.family() == Family::kIpv4;
        return fail(ErrorKind::kExists,
                    "route " + describe(route, "link") +
                        ") already exists for an interface other than '" + link_.name +
                        "': route " + describe(rival, ipv4 && !rival.via ? "link" : "universe") +
                        ", Iface: " + (owner ? owner->name : "unknown") + ")");
    }

    NetlinkSocket &node_;
    const Link &link_;
    std::string_view prefix_;
};

}  // namespace

Result<> add_host_routes(NetlinkSocket &node, const Link &link, std::span<const IpAddr> addresses,
                         std::string_view prefix)
{
    std::vector<NetlinkMessage> messages;
    for (const IpAddr &address : addresses)
        messages.push_back(new_route(host_route(link, address), IfRouteExists::kFail));
    TORTIE_TRY(const std::vector<int> errors, request_all(node, messages, "add host routes"));

    Claim claim(node, link, prefix);
    for (std::size_t i = 0; i < errors.size(); ++i) {
        const Route route = host_route(link, addresses[i]);
        if (errors[i] == EEXIST)
            TORTIE_DO(claim.take(route));
        else if (errors[i] != 0)
            return fail(claim.refused(route, errors[i]));
    }
    return {};
}

}  // namespace tortie
