// SPDX-License-Identifier: Apache-2.0
#include "sys/route.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

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

}  // namespace

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
