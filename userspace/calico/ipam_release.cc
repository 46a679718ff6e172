// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_release.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <set>
#include <utility>

#include "base/log.h"
#include "calico/ipam_handle.h"
#include "calico/reboot.h"
#include "calico/vm_persistence.h"
#include "ipam/owner_attributes.h"
#include "store/names.h"

namespace tortie::calico {
namespace {

// Of an address that its container got after its release was queued.
bool is_newer(const ipam::OwnedAddress &address, const std::string &queued_at)
{
    if (!address.active)
        return false;
    const auto since = address.active->find("timestamp");
    return since != address.active->end() && since->second > queued_at;
}

// Everything of the handle that is older than the entry.
Result<> release_handle(store::Store &store, const PendingRelease &entry, const std::string &handle,
                        Deadline deadline)
{
    const auto held = ipam::addresses_of_handle(store, handle, deadline);
    if (!held && held.error().kind() != ErrorKind::kNotFound)
        return fail(held.error());
    const bool all_older =
        !held || std::none_of(held->begin(), held->end(), [&](const auto &address) {
            return is_newer(address, entry.queued_at);
        });
    if (all_older) {
        const ipam::ReleaseNames names{.handle = handle, .legacy = {}, .legacy_always = false};
        TORTIE_DO(ipam::release_by_handle(store, entry.node, names, deadline));
        return {};
    }
    std::vector<ipam::AddressRelease> older;
    for (const ipam::OwnedAddress &address : *held) {
        if (!is_newer(address, entry.queued_at))
            older.push_back({.ip = address.ip,
                             .handle = handle,
                             .sequence = std::nullopt,
                             .block = address.block});
    }
    TORTIE_DO(ipam::release_addresses(store, older, 0, deadline));
    return {};
}

Result<> release_entry(store::Store &store, const IpamSite &site, const PendingRelease &entry,
                       Deadline deadline)
{
    TORTIE_TRY([[maybe_unused]] const HostLock lock, HostLock::acquire(site.lock_file, deadline));
    for (const std::string &handle : entry.handles)
        TORTIE_DO(release_handle(store, entry, handle, deadline));
    return {};
}

// The handle of a record that a container of this network and node holds; empty for others. A
// container id has no dot here: "net.vmi.ns.name" is a machine's, "net.more.id" another network's.
std::string container_handle(const store::Attribute &record, const std::string &network,
                             const std::string &node)
{
    if (!record.handle_id || !record.secondary)
        return {};
    const std::string handle(store::handle_id_of(*record.handle_id));
    if (!handle.starts_with(network + '.') ||
        handle.find('.', network.size() + 1) != std::string::npos)
        return {};
    const auto on = record.secondary->find("node");
    return on != record.secondary->end() && on->second == node ? handle : std::string();
}

}  // namespace

AddressRelease::AddressRelease(IpamSite site, ReleaseRequest request)
    : site_(std::move(site)),
      request_(std::move(request)),
      names_{.handle = handle_id(request_.network, request_.container_id),
             .legacy = legacy_handle_id(request_.ns, request_.pod, request_.container_id),
             .legacy_always = request_.legacy_always},
      hint_(read_hint(site_)),
      cooldown_s_(ipam::known_cooldown(hint_, std::time(nullptr)))
{
}

std::vector<store::Query> AddressRelease::queries() const
{
    return ipam::release_queries(names_, cooldown_s_);
}

Result<> AddressRelease::run(store::Store &store, std::span<store::Found> found, Deadline deadline)
{
    TORTIE_DO(release_after_reboot(store, site_, deadline));
    std::vector<store::Found> own;
    if (found.empty()) {
        own = store.read(queries(), deadline);
        found = own;
    }
    TORTIE_TRY(auto view, ipam::release_view_of(found, cooldown_s_));
    view.everywhere = ipam::known_everywhere(hint_, std::time(nullptr));
    if (!cooldown_s_)
        remember_cooldown(view.cooldown_s);
    TORTIE_TRY([[maybe_unused]] const HostLock lock, HostLock::acquire(site_.lock_file, deadline));
    TORTIE_DO(ipam::release_handles(store, site_.node, names_, std::move(view), deadline));
    if (may_be_vm(request_.pod))
        return let_go(store, site_.node, request_.network, request_.ns, request_.pod,
                      request_.pod_read, deadline);
    return {};
}

// Spares the next DELs of this node the configuration. What an allocation writes meanwhile is kept.
void AddressRelease::remember_cooldown(std::int64_t cooldown_s) const
{
    ipam::Hint hint = read_hint(site_);
    hint.cooldown_s = cooldown_s;
    hint.cooldown_read_unix_s = std::time(nullptr);
    write_hint(site_, hint);
}

Result<> AddressRelease::queue_for_later(const QueuedEndpoint &endpoint) const
{
    const PendingRelease entry{.store = site_.store,
                               .network = request_.network,
                               .container_id = request_.container_id,
                               .node = site_.node,
                               .handles = {names_.handle, names_.legacy},
                               .queued_at = go_time(std::chrono::system_clock::now()),
                               .endpoint_ns = endpoint.ns,
                               .endpoint = endpoint.name,
                               .pod = endpoint.pod};
    TORTIE_DO(ReleaseQueue(site_.queue_folder).add(entry));
    log::warn("the datastore is away: the release is kept for later",
              {{"folder", site_.queue_folder}});
    return {};
}

Result<> release_before_add(store::Store &store, const IpamSite &site, const std::string &network,
                            const std::string &container_id, Deadline deadline)
{
    return ReleaseQueue(site.queue_folder)
        .settle_container(
            site.store, network, container_id,
            [&](const PendingRelease &entry) {
                return release_entry(store, site, entry, deadline);
            },
            deadline);
}

std::size_t release_waiting(store::Store &store, const IpamSite &site, std::size_t most,
                            const ClearEndpoint &clear_endpoint, Deadline deadline)
{
    return ReleaseQueue(site.queue_folder)
        .settle(
            site.store, most,
            [&](const PendingRelease &entry) -> Result<> {
                const bool has_endpoint = !entry.endpoint.empty() || !entry.pod.empty();
                if (has_endpoint && !clear_endpoint)
                    return fail(ErrorKind::kUnsupported, "the endpoint is another program's");
                TORTIE_DO(release_entry(store, site, entry, deadline));
                return has_endpoint ? clear_endpoint(entry) : Result<>();
            },
            deadline);
}

Result<std::vector<Collected>> collect_garbage(store::Store &store, const IpamSite &site,
                                               const std::string &network,
                                               std::span<const std::string> valid,
                                               Deadline deadline)
{
    std::set<std::string> keep;
    for (const std::string &container : valid)
        keep.insert(handle_id(network, container));
    const store::Query query = store::ListBlocks{};
    TORTIE_TRY(const auto blocks,
               store::all<store::Block>(std::move(store.read({&query, 1}, deadline).front())));
    std::map<std::string, store::StringMap> stale;
    for (const auto &block : blocks) {
        for (const store::Attribute &record : block.document.attributes) {
            const std::string handle = container_handle(record, network, site.node);
            if (!handle.empty() && !keep.contains(handle))
                stale.emplace(handle, record.secondary.value_or(store::StringMap()));
        }
    }
    std::vector<Collected> released;
    for (auto &[handle, owner] : stale) {
        TORTIE_TRY([[maybe_unused]] const HostLock lock,
                   HostLock::acquire(site.lock_file, deadline));
        const ipam::ReleaseNames names{.handle = handle, .legacy = {}, .legacy_always = false};
        TORTIE_DO(ipam::release_by_handle(store, site.node, names, deadline));
        released.push_back({.container_id = handle.substr(network.size() + 1),
                            .ns = owner["namespace"],
                            .pod = owner["pod"]});
    }
    return released;
}

}  // namespace tortie::calico
