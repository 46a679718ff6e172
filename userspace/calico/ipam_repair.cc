// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_repair.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/pause.h"
#include "calico/endpoint.h"
#include "calico/ipam_handle.h"
#include "ipam/block_space.h"
#include "ipam/release.h"
#include "store/names.h"

namespace tortie::calico {
namespace {

// Longer than a pod's ADD or DEL takes between two of its writes.
constexpr std::chrono::milliseconds kUntilSecondLook{1000};

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

std::string text_at(const store::StringMap &map, const char *key)
{
    const auto found = map.find(key);
    return found == map.end() ? std::string() : found->second;
}

// The pods that addresses were given to. Calico's role may get a pod and may not list them.
std::vector<store::PodKey> owners_of(const ipam::Documents &documents)
{
    std::vector<store::PodKey> owners;
    for (const auto &[block, revision] : documents.blocks) {
        for (const store::Attribute &record : block.attributes) {
            const store::StringMap said = record.secondary.value_or(store::StringMap());
            store::PodKey pod{.ns = text_at(said, "namespace"), .name = text_at(said, "pod")};
            if (!pod.ns.empty() && !pod.name.empty())
                owners.push_back(std::move(pod));
        }
    }
    const auto place = [](const store::PodKey &pod) { return std::tie(pod.ns, pod.name); };
    std::sort(owners.begin(), owners.end(),
              [&](const auto &a, const auto &b) { return place(a) < place(b); });
    owners.erase(std::unique(owners.begin(), owners.end(),
                             [&](const auto &a, const auto &b) { return place(a) == place(b); }),
                 owners.end());
    return owners;
}

// A pod has what Kubernetes says, and until its DEL what Calico has written: one that has finished
// keeps its sandbox for a while.
Result<std::vector<ipam::EndpointAddress>> pod_addresses(store::Store &store,
                                                         const ipam::Documents &documents,
                                                         Deadline deadline)
{
    const std::vector<store::PodKey> owners = owners_of(documents);
    std::vector<store::Query> queries;
    queries.reserve(owners.size());
    for (const store::PodKey &pod : owners)
        queries.emplace_back(store::Key(pod));
    std::vector<ipam::EndpointAddress> addresses;
    for (store::Found &found : store.read(queries, deadline)) {
        if (!found && found.error().kind() == ErrorKind::kNotFound)
            continue;
        TORTIE_TRY(const auto held, store::one<kube::Pod>(std::move(found)));
        const kube::Pod &pod = held.document;
        std::set<IpAddr> all;
        for (const IpAddr &ip : addresses_of(pod))
            all.insert(ip);
        for (const std::string &network : annotated_addresses(pod)) {
            if (const auto cidr = Cidr::parse(network))
                all.insert(cidr->addr);
        }
        for (const IpAddr &ip : all)
            addresses.push_back({.ip = ip, .who = pod.meta.ns + '/' + pod.meta.name});
    }
    return addresses;
}

Result<std::vector<ipam::Finding>> look(store::Store &store, const CheckOptions &options,
                                        Deadline deadline)
{
    std::vector<store::Query> queries = ipam::check_queries();
    const std::size_t own = queries.size();
    const bool by_pods = options.by_endpoints && store.endpoints_are_pods();
    if (options.by_endpoints && !by_pods)
        queries.emplace_back(store::ListEndpoints{});
    auto found = store.read(queries, deadline);
    TORTIE_TRY(ipam::Documents documents, ipam::documents_of(std::span(found).first(own)));
    if (by_pods) {
        TORTIE_TRY(auto addresses, pod_addresses(store, documents, deadline));
        documents.endpoints = std::move(addresses);
    } else if (options.by_endpoints) {
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
    pause_for(kUntilSecondLook);
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
