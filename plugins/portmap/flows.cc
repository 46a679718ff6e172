// SPDX-License-Identifier: Apache-2.0
#include "portmap/flows.h"

#include <linux/netlink.h>

#include <algorithm>
#include <string>

#include "base/log.h"
#include "sys/conntrack.h"
#include "sys/netlink.h"
#include "sys/route.h"

namespace tortie::portmap {
namespace {

bool leads_to(const TrackedFlow &flow, const IpAddr &target, std::uint16_t port)
{
    return flow.reply_source == target && flow.reply_source_port == port;
}

// The flow's client asked for an address that the mapping answers on. A locality that cannot be
// told is taken for no: a stale flow is less harm than a broken one of somebody else.
bool asks_for(NetlinkSocket &route, const TrackedFlow &flow, const std::optional<IpAddr> &host_ip)
{
    if (host_ip && !host_ip->is_unspecified())
        return flow.destination == *host_ip;
    return is_local_address(route, flow.destination).value_or(false);
}

bool leads_to_any(const TrackedFlow &flow, const std::vector<PublishedPort> &ports,
                  std::uint16_t host_port)
{
    return std::any_of(ports.begin(), ports.end(), [&](const PublishedPort &port) {
        return port.protocol == Protocol::kUdp && port.host_port == host_port &&
               leads_to(flow, port.target, port.target_port);
    });
}

Result<> forget_udp(const PortMapping &mapping, const Cidr &cidr,
                    const std::vector<PublishedPort> &held)
{
    TORTIE_TRY(NetlinkSocket route, NetlinkSocket::open(NETLINK_ROUTE));
    const FlowSelector selector = {.family = cidr.addr.family(),
                                   .ip_protocol = static_cast<std::uint8_t>(Protocol::kUdp),
                                   .destination_port = mapping.host_port};
    const auto is_stale = [&](const TrackedFlow &flow) {
        return !leads_to(flow, cidr.addr, mapping.container_port) &&
               !leads_to_any(flow, held, mapping.host_port) &&
               asks_for(route, flow, mapping.host_ip);
    };
    TORTIE_DO(delete_flows(selector, is_stale));
    return {};
}

Result<> forget_removed(const PublishedPort &port)
{
    TORTIE_TRY(NetlinkSocket route, NetlinkSocket::open(NETLINK_ROUTE));
    const FlowSelector selector = {.family = port.target.family(),
                                   .ip_protocol = static_cast<std::uint8_t>(port.protocol),
                                   .destination_port = port.host_port};
    TORTIE_DO(delete_flows(selector, [&](const TrackedFlow &flow) {
        return leads_to(flow, port.target, port.target_port) && asks_for(route, flow, port.host_ip);
    }));
    return {};
}

}  // namespace

void forget_stale_udp_flows(const Publication &publication, const std::vector<PublishedPort> &held)
{
    for (const Cidr &cidr : publication.addresses) {
        for (const PortMapping &mapping : publication.mappings) {
            if (mapping.protocol != Protocol::kUdp ||
                (mapping.host_ip && mapping.host_ip->family() != cidr.addr.family()))
                continue;
            if (const auto done = forget_udp(mapping, cidr, held); !done)
                log::warn("failed to delete stale UDP conntrack entries for " +
                          cidr.addr.to_string() + ": " + done.error().what());
        }
    }
}

void forget_flows_of(const std::vector<PublishedPort> &removed)
{
    for (const PublishedPort &port : removed)
        if (const auto done = forget_removed(port); !done)
            log::warn("failed to delete conntrack entries for " + port.target.to_string() + ": " +
                      done.error().what());
}

}  // namespace tortie::portmap
