// SPDX-License-Identifier: Apache-2.0
#include "portmap/portmap.h"

#include <linux/netlink.h>

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/scope_exit.h"
#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "datapath/localnet_guard.h"
#include "portmap/backends.h"
#include "portmap/config.h"
#include "portmap/flows.h"
#include "portmap/ways.h"
#include "sys/iptables.h"
#include "sys/route.h"
#include "sys/sysctl.h"

namespace tortie::portmap {
namespace {

const Cidr *ipv4_of(const Publication &publication)
{
    for (const Cidr &cidr : publication.addresses)
        if (cidr.addr.family() == Family::kIpv4)
            return &cidr;
    return nullptr;
}

// Lets 127.0.0.0/8 cross to the container, but not from the wire to the node. Never taken back, as
// upstream: other containers behind the same interface may need it.
Result<> enable_localnet_routing(const Cidr &container, Backend backend)
{
    TORTIE_TRY(NetlinkSocket route, NetlinkSocket::open(NETLINK_ROUTE));
    const auto interface = output_interface(route, container.addr);
    if (!interface && interface.error().kind() == ErrorKind::kNotFound)
        return {};
    if (!interface)
        return fail(interface.error());
    // The nf_tables backend has the guard in its own transaction.
    auto guarded = backend == Backend::kNftables ? Result<>() : ensure_localnet_guard();
    if (!guarded && guarded.error().kind() != ErrorKind::kUnsupported)
        return guarded;
    if (!guarded)
        log::warn("cannot keep neighbours on the link off 127.0.0.0/8",
                  {{"cause", guarded.error().what()}});
    return write_sysctl("ipv4/conf/" + *interface + "/route_localnet", "1");
}

void undo_publishing(Ways &ways)
{
    if (const auto undone = ways.withdraw(); !undone)
        log::error("cannot undo", {{"cause", undone.error().what()}});
}

// ADD's and DEL's way to read the configuration; CHECK has no prefix.
Result<Config> parse_prefixed(const cni::Request &request)
{
    auto config = parse_config(request);
    if (!config)
        return fail(std::move(config).error().within("failed to parse config"));
    return config;
}

}  // namespace

cni::Answer add(const cni::Request &request)
{
    TORTIE_TRY(const Config config, parse_prefixed(request));
    if (!config.previous)
        return tl::make_unexpected(
            cni::CniError(cni::Code::kUnspecified, "must be called as chained plugin"));
    std::string answer = cni::print_previous(*config.previous, request.cni_version);
    const Publication &publication = config.publication;
    if (publication.mappings.empty() || publication.addresses.empty())
        return answer;

    Ways ways(request.search_path, config);
    const auto held = ways.publish();
    if (!held && ways.programs_missing())
        return tl::make_unexpected(cni::CniError(cni::Code::kNotAvailable, held.error().what()));
    if (!held)
        return tl::make_unexpected(held.error());
    ScopeExit undo([&] { undo_publishing(ways); });
    forget_stale_udp_flows(publication, *held);
    const Cidr *container = ipv4_of(publication);
    if (container != nullptr && publication.policy.snat) {
        if (auto enabled = enable_localnet_routing(*container, ways.published_by()); !enabled)
            return tl::make_unexpected(
                std::move(enabled).error().within("unable to enable route_localnet"));
    }
    undo.dismiss();
    log::info("host ports published", {{"backend", name_of(ways.published_by())},
                                       {"mappings", std::to_string(publication.mappings.size())}});
    return answer;
}

cni::Answer del(const cni::Request &request)
{
    auto config = parse_config(request);
    if (!config) {
        log::warn("cleaning up without a usable configuration", {{"cause", config.error().what()}});
        config = salvage_config(request);
    }
    Ways ways(request.search_path, *config);
    TORTIE_TRY(const auto removed, ways.withdraw());
    forget_flows_of(removed);
    return std::string();
}

cni::Answer check(const cni::Request &request)
{
    TORTIE_TRY(const Config config, parse_config(request));
    if (!config.previous)
        return tl::make_unexpected(
            cni::CniError(cni::Code::kUnspecified, "Required prevResult missing"));
    if (config.publication.mappings.empty() || config.publication.addresses.empty())
        return std::string();
    TORTIE_DO(Ways(request.search_path, config).check());
    return std::string();
}

cni::Answer gc(const cni::Request &request)
{
    TORTIE_TRY(const auto listed, cni::valid_attachments(request.config));
    if (!listed)
        return std::string();
    std::vector<Attachment> valid;
    for (const cni::ValidAttachment &one : *listed)
        valid.push_back(
            {.network = request.network, .container_id = one.container_id, .ifname = one.ifname});
    const auto parsed = parse_config(request);
    const Config config = parsed ? *parsed : Config();
    Ways ways(request.search_path, config);
    TORTIE_TRY(const auto removed, ways.collect_garbage(request.network, valid));
    forget_flows_of(removed);
    return std::string();
}

cni::Answer status(const cni::Request &request)
{
    TORTIE_TRY(const Config config, parse_prefixed(request));
    if (config.backend == Backend::kNftables)
        return std::string();
    const auto iptables = Iptables::find(Family::kIpv4, request.search_path);
    if (!iptables)
        return tl::make_unexpected(cni::CniError(
            cni::Code::kNotAvailable, "failed to open iptables: " + iptables.error().what()));
    return std::string();
}

}  // namespace tortie::portmap
