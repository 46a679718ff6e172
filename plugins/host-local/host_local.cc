// SPDX-License-Identifier: Apache-2.0
#include "host-local/host_local.h"

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/log.h"
#include "base/scope_exit.h"
#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "host-local/allocate.h"
#include "host-local/config.h"
#include "host-local/reservations.h"
#include "host-local/resolv_conf.h"

namespace tortie::host_local {
namespace {

Attachment attachment_of(const cni::Request &request)
{
    return {.container_id = request.container_id, .ifname = request.ifname};
}

Result<Config> parse_config_with_ranges(const cni::Request &request)
{
    TORTIE_TRY(Config config, parse_config(request));
    if (config.sets.empty())
        return fail(ErrorKind::kInvalidInput, "no IP ranges specified");
    return config;
}

// nullopt when the network has no directory: then nobody holds anything.
Result<std::optional<Reservations>> open_reservations(const std::string &data_dir,
                                                      const std::string &network)
{
    auto store = Store::open(data_dir, network);
    if (!store && store.error().kind() == ErrorKind::kNotFound)
        return std::nullopt;
    if (!store)
        return fail(std::move(store).error());
    TORTIE_TRY(Reservations all, Reservations::load(*std::move(store), data_dir, network));
    return std::optional(std::move(all));
}

// The first request that lies in the set, taken out of the list.
std::optional<IpAddr> take_request(std::vector<IpAddr> &requested, const RangeSet &set)
{
    for (auto ip = requested.begin(); ip != requested.end(); ++ip) {
        if (set.range_of(*ip) != nullptr) {
            const IpAddr taken = *ip;
            requested.erase(ip);
            return taken;
        }
    }
    return std::nullopt;
}

Error unfulfilled(const std::vector<IpAddr> &requested)
{
    std::string text = "failed to allocate all requested IPs:";
    for (const IpAddr &ip : requested)
        text += ' ' + ip.to_string();
    return {ErrorKind::kInvalidInput, std::move(text)};
}

// One address per set into `got`, which also on failure says what was reserved.
Result<> allocate_all(Reservations &reservations, const Config &config,
                      const Attachment &attachment, std::vector<IpAddr> &got)
{
    std::vector<IpAddr> requested = config.requested;
    for (std::size_t number = 0; number < config.sets.size(); ++number) {
        const RangeSet &set = config.sets[number];
        const auto request = take_request(requested, set);
        auto ip = request ? allocate_requested(reservations, set, *request, attachment)
                          : allocate_next(reservations, set, number, attachment);
        if (!ip)
            return fail(std::move(ip).error().within("failed to allocate for range " +
                                                     std::to_string(number)));
        got.push_back(*ip);
    }
    if (!requested.empty())
        return fail(unfulfilled(requested));
    for (std::size_t number = 0; number < got.size(); ++number)
        TORTIE_DO(reservations.set_last_reserved(number, got[number]));
    return {};
}

// "No" is said only after a look at every file.
Result<bool> holds_address(const std::string &data_dir, const std::string &network,
                           const Attachment &attachment)
{
    TORTIE_TRY(auto reservations, open_reservations(data_dir, network));
    if (!reservations)
        return false;
    ScopeExit save_index([&] { reservations->save_index(); });
    TORTIE_TRY(const auto held, reservations->held_by(attachment));
    if (!held.empty() || reservations->exact())
        return !held.empty();
    TORTIE_DO(reservations->rescan());
    TORTIE_TRY(const auto found, reservations->held_by(attachment));
    return !found.empty();
}

cni::CniResult result_of(const Config &config, const std::vector<IpAddr> &ips, cni::Dns dns)
{
    cni::CniResult result;
    result.dns = std::move(dns);
    result.routes = config.routes;
    for (std::size_t number = 0; number < ips.size(); ++number) {
        const Range *range = config.sets[number].range_of(ips[number]);
        result.ips.push_back({.address = {.addr = ips[number], .prefix = range->subnet.prefix},
                              .gateway = range->gateway,
                              .interface = std::nullopt});
    }
    return result;
}

}  // namespace

cni::Answer add(const cni::Request &request)
{
    TORTIE_TRY(const Config config, parse_config_with_ranges(request));
    cni::Dns dns;
    if (!config.resolv_conf.empty()) {
        TORTIE_TRY(dns, read_resolv_conf(config.resolv_conf));
    }

    TORTIE_TRY(Store store, Store::create(config.data_dir, request.network));
    TORTIE_TRY(Reservations reservations,
               Reservations::load(std::move(store), config.data_dir, request.network));
    ScopeExit save_index([&] { reservations.save_index(); });

    const Attachment attachment = attachment_of(request);
    std::vector<IpAddr> got;
    ScopeExit undo([&] {
        for (const IpAddr &ip : got) {
            if (const auto released = reservations.release(ip, attachment); !released)
                log::warn("address not released", {{"why", released.error().what()}});
        }
    });
    TORTIE_DO(allocate_all(reservations, config, attachment, got));
    TORTIE_TRY(std::string text,
               cni::print_result(result_of(config, got, std::move(dns)), request.cni_version));
    undo.dismiss();
    return text;
}

cni::Answer del(const cni::Request &request)
{
    TORTIE_TRY(auto reservations, open_reservations(data_dir_of(request.config), request.network));
    if (!reservations)
        return "";
    const auto released = reservations->release_all(attachment_of(request));
    reservations->save_index();
    TORTIE_DO(released);
    return "";
}

cni::Answer check(const cni::Request &request)
{
    TORTIE_TRY(const Config config, parse_config_with_ranges(request));
    TORTIE_TRY(const bool found,
               holds_address(config.data_dir, request.network, attachment_of(request)));
    if (!found)
        return tl::make_unexpected(cni::CniError(
            cni::Code::kUnspecified,
            "host-local: Failed to find address added by container " + request.container_id));
    return "";
}

cni::Answer gc(const cni::Request &request)
{
    TORTIE_TRY(const auto valid, cni::valid_attachments(request.config));
    if (!valid)
        return "";
    TORTIE_TRY(auto reservations, open_reservations(data_dir_of(request.config), request.network));
    if (!reservations)
        return "";

    std::unordered_set<std::string> owners;
    for (const auto &[container_id, ifname] : *valid) {
        const Attachment attachment{.container_id = container_id, .ifname = ifname};
        owners.insert(attachment.owner());
        owners.insert(attachment.old_owner());
    }
    const auto collected = reservations->collect(
        [&](std::string_view owner) { return owners.contains(std::string(owner)); });
    reservations->save_index();
    TORTIE_DO(collected);
    return "";
}

cni::Answer status(const cni::Request &request)
{
    TORTIE_TRY(const Config config, parse_config(request));
    if (!config.status_fails_when_exhausted)
        return "";
    TORTIE_TRY(auto reservations, open_reservations(config.data_dir, request.network));
    if (!reservations)
        return "";
    ScopeExit save_index([&] { reservations->save_index(); });
    for (const RangeSet &set : config.sets) {
        TORTIE_TRY(const auto free, find_free(*reservations, set));
        if (!free)
            return tl::make_unexpected(
                cni::CniError(cni::Code::kNotAvailable, exhausted_text(set)));
    }
    return "";
}

}  // namespace tortie::host_local
