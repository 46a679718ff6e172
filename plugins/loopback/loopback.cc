// SPDX-License-Identifier: Apache-2.0
#include "loopback/loopback.h"

#include <linux/netlink.h>

#include <algorithm>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/strings.h"
#include "cni/common_keys.h"
#include "cni/result_codec.h"
#include "sys/link.h"
#include "sys/netns.h"

namespace tortie::loopback {
namespace {

using cni::CniResult;

constexpr std::string_view kName = "lo";

// The first loopback address of a family, if any, as the result's next address.
void add_address(const std::vector<Cidr> &addresses, Family family, CniResult &result)
{
    const auto first = std::find_if(addresses.begin(), addresses.end(), [&](const Cidr &cidr) {
        return cidr.addr.family() == family && cidr.addr.is_loopback();
    });
    if (first != addresses.end())
        result.ips.push_back({.address = *first, .gateway = {}, .interface = 0});
}

void warn_about_others(const std::vector<Cidr> &addresses)
{
    for (const Cidr &cidr : addresses) {
        if (!cidr.addr.is_loopback())
            log::warn("loopback interface found with non-loopback address " +
                      go_quoted(cidr.addr.to_string()));
    }
}

CniResult result_of(const std::vector<Cidr> &addresses, const std::string &netns)
{
    CniResult result;
    cni::Interface lo;
    lo.name = kName;
    lo.mac = "00:00:00:00:00:00";
    lo.sandbox = netns;
    result.interfaces.push_back(std::move(lo));
    add_address(addresses, Family::kIpv4, result);
    add_address(addresses, Family::kIpv6, result);
    return result;
}

Result<std::optional<CniResult>> previous_result(const cni::Request &request)
{
    if (auto keys = cni::check_common_keys(request.config); !keys)
        return fail(std::move(keys).error().within("failed to parse network config"));
    auto result = cni::previous_result(request.config, request.cni_version);
    if (!result)
        return fail(std::move(result).error().within("failed to parse prevResult"));
    return result;
}

}  // namespace

cni::Answer add(const cni::Request &request)
{
    TORTIE_TRY(const auto previous, previous_result(request));
    TORTIE_TRY(const NetnsScope inside, NetnsScope::enter(request.netns));
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
    TORTIE_TRY(const Link lo, find_link(socket, kName));
    // Before the step: the kernel may have done it and its answer be lost.
    ScopeExit undo([&] {
        if (auto down = lo.up() ? Result<>() : set_up(socket, lo, false); !down)
            log::warn("cannot undo", {{"error", down.error().what()}});
    });
    TORTIE_DO(set_up(socket, lo, true));
    TORTIE_TRY(const auto addresses, list_addresses(socket, lo));
    warn_about_others(addresses);
    cni::Answer printed = previous ? cni::print_previous(*previous, request.cni_version)
                                   : cni::Answer(cni::print_result(
                                         result_of(addresses, request.netns), request.cni_version));
    if (printed)
        undo.dismiss();
    return printed;
}

cni::Answer del(const cni::Request &request)
{
    if (request.netns.empty())
        return std::string();
    const auto inside = NetnsScope::enter(request.netns);
    if (!inside && inside.error().kind() == ErrorKind::kNotFound)
        return std::string();
    if (!inside)
        return tl::make_unexpected(inside.error());
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
    TORTIE_TRY(const Link lo, find_link(socket, kName));
    TORTIE_DO(set_up(socket, lo, false));
    return std::string();
}

cni::Answer check(const cni::Request &request)
{
    TORTIE_TRY(const NetnsScope inside, NetnsScope::enter(request.netns));
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
    TORTIE_TRY(const Link lo, find_link(socket, kName));
    if (!lo.up())
        return tl::make_unexpected(
            cni::CniError(cni::Code::kUnspecified, "loopback interface is down"));
    return std::string();
}

}  // namespace tortie::loopback
