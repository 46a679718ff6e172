// SPDX-License-Identifier: Apache-2.0
#include "sys/route.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <span>

namespace tortie {
namespace {

struct RouteAnswer {
    unsigned char type = RTN_UNSPEC;
    unsigned output_ifindex = 0;
};

Result<RouteAnswer> ask_route(NetlinkSocket &route, const IpAddr &to)
{
    NetlinkMessage request(RTM_GETROUTE, 0);
    rtmsg header{};
    header.rtm_family = to.family() == Family::kIpv4 ? AF_INET : AF_INET6;
    header.rtm_dst_len = static_cast<unsigned char>(width_bits(to.family()));
    request.put_header(header);
    request.put(RTA_DST, to.bytes_be());

    RouteAnswer answer;
    const std::string doing = "find the route to " + to.to_string();
    auto asked = route.query(request, doing, [&](const NetlinkReply &reply) {
        answer.type = reply.header<rtmsg>().rtm_type;
        if (const auto out = reply.attrs<rtmsg>().find(RTA_OIF))
            answer.output_ifindex = out->u32();
    });
    if (asked)
        return answer;
    const int err = asked.error().sys_errno();
    if (err == ENETUNREACH || err == EHOSTUNREACH || err == EACCES || err == EINVAL)
        return fail(ErrorKind::kNotFound, asked.error().what());  // also prohibit and blackhole
    return fail(std::move(asked).error());
}

Route read_route(const NetlinkReply &reply)
{
    const auto header = reply.header<rtmsg>();
    const bool ipv4 = header.rtm_family == AF_INET;
    const std::array<std::uint8_t, 16> zeros{};
    Route route;
    route.to = {IpAddr::from_bytes(std::span(zeros).first(ipv4 ? 4 : 16)), header.rtm_dst_len};
    NetlinkAttrs attrs = reply.attrs<rtmsg>();
    while (const auto attr = attrs.next()) {
        const bool address = attr->payload.size() == (ipv4 ? 4 : 16);
        if (attr->type == RTA_DST && address)
            route.to.addr = IpAddr::from_bytes(attr->payload);
        else if (attr->type == RTA_GATEWAY && address)
            route.via = IpAddr::from_bytes(attr->payload);
        else if (attr->type == RTA_OIF)
            route.ifindex = static_cast<int>(attr->u32());
        else if (attr->type == RTA_PRIORITY)
            route.metric = attr->u32();
    }
    return route;
}

}  // namespace

NetlinkMessage new_route(const Route &route, IfRouteExists then)
{
    const int exists = then == IfRouteExists::kReplace ? NLM_F_REPLACE : NLM_F_EXCL;
    NetlinkMessage message(RTM_NEWROUTE, static_cast<std::uint16_t>(NLM_F_CREATE | exists), 512);
    rtmsg header{};
    header.rtm_family = route.to.addr.family() == Family::kIpv4 ? AF_INET : AF_INET6;
    header.rtm_dst_len = static_cast<unsigned char>(route.to.prefix);
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_BOOT;
    header.rtm_scope = route.via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    header.rtm_type = RTN_UNICAST;
    message.put_header(header);
    if (route.to.prefix != 0)
        message.put(RTA_DST, route.to.addr.bytes_be());
    if (route.via)
        message.put(RTA_GATEWAY, route.via->bytes_be());
    message.put_u32(RTA_OIF, static_cast<std::uint32_t>(route.ifindex));
    if (route.metric != 0)
        message.put_u32(RTA_PRIORITY, route.metric);
    return message;
}

Result<std::vector<Route>> list_routes(NetlinkSocket &route, Family family)
{
    NetlinkMessage message(RTM_GETROUTE, 0, 512);
    rtmsg header{};
    header.rtm_family = family == Family::kIpv4 ? AF_INET : AF_INET6;
    message.put_header(header);
    std::vector<Route> routes;
    TORTIE_DO(route.dump(
        message, "list routes", [&] { routes.clear(); },
        [&](const NetlinkReply &reply) {
            const auto found = reply.header<rtmsg>();
            if (reply.type == RTM_NEWROUTE && found.rtm_table == RT_TABLE_MAIN &&
                found.rtm_family == header.rtm_family && (found.rtm_flags & RTM_F_CLONED) == 0)
                routes.push_back(read_route(reply));
        }));
    return routes;
}

Result<int> output_ifindex(NetlinkSocket &route, const IpAddr &to)
{
    TORTIE_TRY(const RouteAnswer answer, ask_route(route, to));
    return static_cast<int>(answer.output_ifindex);
}

Result<std::string> output_interface(NetlinkSocket &route, const IpAddr &to)
{
    TORTIE_TRY(const RouteAnswer answer, ask_route(route, to));
    std::array<char, IF_NAMESIZE> name{};
    if (::if_indextoname(answer.output_ifindex, name.data()) == nullptr)
        return fail_errno(errno, "name the interface towards " + to.to_string());
    return std::string(name.data());
}

Result<bool> is_local_address(NetlinkSocket &route, const IpAddr &address)
{
    const auto answer = ask_route(route, address);
    if (!answer && answer.error().kind() == ErrorKind::kNotFound)
        return false;
    if (!answer)
        return fail(answer.error());
    return answer->type == RTN_LOCAL;
}

}  // namespace tortie
