// SPDX-License-Identifier: Apache-2.0
#include "portmap/portmap.h"

#include <linux/netlink.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/scope_exit.h"
#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "datapath/iptables_port_mapper.h"
#include "datapath/localnet_guard.h"
#include "datapath/nftables_port_mapper.h"
#include "portmap/config.h"
#include "portmap/flows.h"
#include "sys/iptables.h"
#include "sys/route.h"
#include "sys/sysctl.h"

namespace tortie::portmap {
namespace {

constexpr const char *kIptablesLock = "/run/tortie/portmap-iptables.lock";

struct Mappers {
    explicit Mappers(const std::string &search_path)
        : nftables(search_path), iptables(search_path, kIptablesLock)
    {
    }

    PortMapper &of(Backend backend)
    {
        if (backend == Backend::kIptables)
            return iptables;
        return nftables;
    }

    NftablesPortMapper nftables;
    IptablesPortMapper iptables;
};

constexpr Backend other_than(Backend backend)
{
    return backend == Backend::kIptables ? Backend::kNftables : Backend::kIptables;
}

constexpr std::string_view name_of(Backend backend)
{
    return backend == Backend::kIptables ? "iptables" : "nftables";
}

struct Published {
    Backend backend;
    std::vector<PublishedPort> held;  // by others
};

void undo_publish(PortMapper &mapper, const Publication &publication)
{
    if (const auto undone = mapper.withdraw(publication); !undone)
        log::error("cannot undo", {{"cause", undone.error().what()}});
}

// After a failure the change may have been made all the same: its acknowledgement can be lost.
Result<std::vector<PublishedPort>> publish_or_undo(PortMapper &mapper,
                                                   const Publication &publication)
{
    auto held = mapper.publish(publication);
    if (!held && held.error().kind() != ErrorKind::kUnsupported &&
        held.error().kind() != ErrorKind::kInvalidInput)
        undo_publish(mapper, publication);
    return held;
}

// By the backend that is asked for; when none is and this kernel has no nf_tables, by iptables.
Result<Published> publish(Mappers &mappers, const Config &config)
{
    auto held = publish_or_undo(mappers.of(config.backend), config.publication);
    if (held)
        return Published{config.backend, *std::move(held)};
    const bool may_fall_back = !config.backend_given && config.backend == Backend::kNftables &&
                               held.error().kind() == ErrorKind::kUnsupported;
    if (!may_fall_back)
        return fail(std::move(held).error());
    log::warn("no nf_tables for host ports here, using iptables", {{"cause", held.error().what()}});
    TORTIE_TRY(auto by_iptables, publish_or_undo(mappers.iptables, config.publication));
    return Published{Backend::kIptables, std::move(by_iptables)};
}

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

// Both backends, the second one also when the first one fails: a rule that stays sends somebody's
// packets to a dead container.
Result<std::vector<PublishedPort>> withdraw_everywhere(Mappers &mappers, const Config &config)
{
    std::vector<PublishedPort> removed;
    std::optional<Error> failed;
    for (const Backend backend : {Backend::kNftables, Backend::kIptables}) {
        auto gone = mappers.of(backend).withdraw(config.publication);
        const bool asked_for = config.backend_given && config.backend == backend;
        if (gone)
            removed.insert(removed.end(), gone->begin(), gone->end());
        else if (gone.error().kind() != ErrorKind::kUnsupported || asked_for)
            failed = std::move(gone).error();
        else
            log::warn("cannot look for host ports",
                      {{"backend", name_of(backend)}, {"cause", gone.error().what()}});
    }
    if (failed)
        return fail(*std::move(failed));
    return removed;
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
    TORTIE_TRY(auto answer, cni::print_result(*config.previous, request.cni_version));
    const Publication &publication = config.publication;
    if (publication.mappings.empty() || publication.addresses.empty())
        return answer;

    Mappers mappers(request.search_path);
    TORTIE_TRY(const Published published, publish(mappers, config));
    ScopeExit undo([&] { undo_publish(mappers.of(published.backend), publication); });
    forget_stale_udp_flows(publication, published.held);
    const Cidr *container = ipv4_of(publication);
    if (container != nullptr && publication.policy.snat) {
        if (auto enabled = enable_localnet_routing(*container, published.backend); !enabled)
            return tl::make_unexpected(
                std::move(enabled).error().within("unable to enable route_localnet"));
    }
    undo.dismiss();
    log::info("host ports published", {{"backend", name_of(published.backend)},
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
    Mappers mappers(request.search_path);
    TORTIE_TRY(const auto removed, withdraw_everywhere(mappers, *config));
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
    Mappers mappers(request.search_path);
    auto checked = mappers.of(config.backend).check(config.publication);
    if (checked)
        return std::string();
    if (mappers.of(other_than(config.backend)).check(config.publication))
        return std::string();
    return tl::make_unexpected(std::move(checked).error());
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
    Mappers mappers(request.search_path);
    std::optional<Error> failed;
    for (const Backend backend : {Backend::kNftables, Backend::kIptables}) {
        auto removed = mappers.of(backend).collect_garbage(request.network, valid);
        if (removed)
            forget_flows_of(*removed);
        else if (removed.error().kind() != ErrorKind::kUnsupported)
            failed = std::move(removed).error();
    }
    if (failed)
        return tl::make_unexpected(*std::move(failed));
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
