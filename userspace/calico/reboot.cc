// SPDX-License-Identifier: Apache-2.0
#include "calico/reboot.h"

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/strings.h"
#include "ipam/release.h"
#include "store/names.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMostBytes = 128;

std::optional<std::string> boot_id_in(const std::string &path)
{
    const auto text = read_file(path, kMostBytes);
    if (!text)
        return std::nullopt;
    const std::string id(trim(*text));
    return id.empty() ? std::nullopt : std::optional(id);
}

bool is_container_of(const store::Attribute &record, const std::string &node)
{
    if (!record.handle_id || !record.secondary || record.secondary->contains("type") ||
        record.secondary->contains("vmi-name"))
        return false;
    const auto on = record.secondary->find("node");
    return on != record.secondary->end() && on->second == node;
}

Result<> release_addresses_of_node(store::Store &store, const IpamSite &site, Deadline deadline)
{
    const store::Query query = store::ListBlocks{};
    TORTIE_TRY(const auto blocks,
               store::all<store::Block>(std::move(store.read({&query, 1}, deadline).front())));
    std::set<std::string> handles;
    for (const auto &block : blocks) {
        for (const store::Attribute &record : block.document.attributes) {
            if (is_container_of(record, site.node))
                handles.emplace(store::handle_id_of(*record.handle_id));
        }
    }
    for (const std::string &handle : handles) {
        const ipam::ReleaseNames names{.handle = handle, .legacy = {}, .legacy_always = false};
        TORTIE_DO(ipam::release_by_handle(store, site.node, names, deadline));
    }
    const std::string count = std::to_string(handles.size());
    log::info("the node has been rebooted: addresses of before are released", {{"handles", count}});
    return {};
}

Result<> remove_endpoints_of_node(store::Store &store, const IpamSite &site, Deadline deadline)
{
    const store::Query query = store::ListEndpoints{};
    TORTIE_TRY(auto endpoints,
               store::all<store::Endpoint>(std::move(store.read({&query, 1}, deadline).front())));
    std::vector<store::Write> writes;
    for (auto &endpoint : endpoints) {
        if (endpoint.document.node != site.node)
            continue;
        const store::EndpointKey key{endpoint.document.ns, endpoint.document.name};
        writes.push_back({.op = store::Op::kDelete,
                          .key = key,
                          .document = std::move(endpoint.document),
                          .expected = std::move(endpoint.revision)});
    }
    if (writes.empty())
        return {};
    for (const auto &written : store.commit(writes, deadline)) {
        if (!written && written.error().kind() != ErrorKind::kNotFound)
            return fail(written.error());
    }
    return {};
}

}  // namespace

Result<> release_after_reboot(store::Store &store, const IpamSite &site, Deadline deadline)
{
    if (site.boot_file.empty())
        return {};
    const auto now = boot_id_in(site.boot_id_file);
    if (!now || boot_id_in(site.boot_file) == now)
        return {};
    const std::size_t slash = site.boot_file.rfind('/');
    if (slash != std::string::npos && slash > 0)
        TORTIE_DO(make_directories(site.boot_file.substr(0, slash), 0700));
    TORTIE_TRY([[maybe_unused]] const FileLock lock,
               FileLock::acquire(site.boot_file + ".lock", 0600, deadline.left()));
    const auto recorded = boot_id_in(site.boot_file);
    if (recorded == now)
        return {};
    if (recorded) {
        TORTIE_DO(release_addresses_of_node(store, site, deadline));
        TORTIE_DO(remove_endpoints_of_node(store, site, deadline));
    }
    return replace_file_durably(site.boot_file, *now + '\n', 0600);
}

}  // namespace tortie::calico
