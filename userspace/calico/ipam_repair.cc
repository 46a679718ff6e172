// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_repair.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "calico/ipam_handle.h"
#include "ipam/block_space.h"
#include "ipam/release.h"
#include "store/names.h"

namespace tortie::calico {
namespace {

// Longer than a pod's ADD or DEL takes between two of its writes.
constexpr int kSecondLookMs = 1000;

Result<std::vector<ipam::EndpointAddress>> endpoint_addresses(store::Found found)
{
    TORTIE_TRY(const auto endpoints, store::all<store::Endpoint>(std::move(found)));
    std::vector<ipam::EndpointAddress> addresses;
    for (const auto &endpoint : endpoints) {
        const store::Endpoint &document = endpoint.document;
        const std::string who = document.pod.empty() ? "container " + document.container_id
                                                     : document.ns + '/' + document.pod;
        for (const std::string &network : document.ip_networks) {
            if (const auto cidr = Cidr::parse(network))
                addresses.push_back({.ip = cidr->addr, .who = who});
        }
    }
    return addresses;
}

Result<std::vector<ipam::Finding>> look(store::Store &store, const CheckOptions &options,
                                        Deadline deadline)
{
    std::vector<store::Query> queries = ipam::check_queries();
    const std::size_t own = queries.size();
    if (options.by_endpoints)
        queries.emplace_back(store::ListEndpoints{});
    auto found = store.read(queries, deadline);
    TORTIE_TRY(ipam::Documents documents, ipam::documents_of(std::span(found).first(own)));
    if (options.by_endpoints) {
        TORTIE_TRY(auto addresses, endpoint_addresses(std::move(found[own])));
        documents.endpoints = std::move(addresses);
    }
    return ipam::check(documents);
}

bool is_same(const ipam::Finding &a, const ipam::Finding &b)
{
    return a.problem == b.problem && a.object == b.object;
}

// An ADD that is under way has its address and no endpoint yet: it ends within 90 s.
constexpr std::chrono::seconds kAtLeastOld{120};

bool may_be_under_way(const store::Attribute &record)
{
    const std::string limit = go_time(std::chrono::system_clock::now() - kAtLeastOld);
    if (!record.secondary)
        return false;
    const auto since = record.secondary->find("timestamp");
    return since != record.secondary->end() && since->second > limit;
}

// Who has the address now, as a release must name it.
Result<std::optional<ipam::AddressRelease>> release_of(store::Store &store, const IpAddr &ip,
                                                       Deadline deadline)
{
    const store::Query query = store::ListBlocks{};
    TORTIE_TRY(const auto blocks,
               store::all<store::Block>(std::move(store.read({&query, 1}, deadline).front())));
    for (const auto &held : blocks) {
        const store::Block &block = held.document;
        const auto ordinal = ipam::ordinal_of(block.cidr, ip);
        if (!ordinal || !block.allocations[*ordinal])
            continue;
        const std::size_t index = *block.allocations[*ordinal];
        if (index >= block.attributes.size() || !block.attributes[index].handle_id)
            continue;
        if (may_be_under_way(block.attributes[index]))
            return fail(ErrorKind::kTryAgain, "it was given out less than two minutes ago");
        const auto sequence = block.sequence_for_allocation.find(*ordinal);
        return ipam::AddressRelease{
            .ip = ip,
            .handle = std::string(store::handle_id_of(*block.attributes[index].handle_id)),
            .sequence = sequence == block.sequence_for_allocation.end()
                            ? std::nullopt
                            : std::optional(sequence->second),
            .block = block.cidr};
    }
    return std::nullopt;
}

}  // namespace

Result<std::vector<ipam::Finding>> check_store(store::Store &store, const CheckOptions &options,
                                               Deadline deadline)
{
    TORTIE_TRY(const auto first, look(store, options, deadline));
    if (first.empty())
        return first;
    ::poll(nullptr, 0, kSecondLookMs);
    TORTIE_TRY(auto second, look(store, options, deadline));
    std::erase_if(second, [&](const ipam::Finding &now) {
        return std::none_of(first.begin(), first.end(),
                            [&](const ipam::Finding &then) { return is_same(then, now); });
    });
    return second;
}

bool can_mend(const ipam::Finding &finding)
{
    return finding.repairable || finding.problem == ipam::Problem::kAddressNotUsed;
}

Result<> mend(store::Store &store, const IpamSite &site, const ipam::Finding &finding,
              Deadline deadline)
{
    if (finding.problem != ipam::Problem::kAddressNotUsed)
        return ipam::repair(store, finding, deadline);
    const auto ip = IpAddr::parse(finding.object);
    if (!ip)
        return fail(ErrorKind::kUnsupported, finding.object + ": not an address");
    TORTIE_TRY([[maybe_unused]] const HostLock lock, HostLock::acquire(site.lock_file, deadline));
    TORTIE_TRY(const auto release, release_of(store, *ip, deadline));
    if (!release)
        return {};
    TORTIE_DO(ipam::release_addresses(store, {&*release, 1}, 0, deadline));
    return {};
}

}  // namespace tortie::calico
