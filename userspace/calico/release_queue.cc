// SPDX-License-Identifier: Apache-2.0
#include "calico/release_queue.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/sha512.h"
#include "calico/record.h"

namespace tortie::calico {
namespace {

constexpr std::string_view kSuffix = ".release";
constexpr std::size_t kMostBytes = std::size_t{64} << 10;

Record record_of(const PendingRelease &entry)
{
    Record record;
    record.add("store", entry.store)
        .add("network", entry.network)
        .add("container", entry.container_id)
        .add("node", entry.node)
        .add("queued_at", entry.queued_at);
    for (const std::string &handle : entry.handles)
        record.add("handle", handle);
    record.add("endpoint_namespace", entry.endpoint_ns)
        .add("endpoint", entry.endpoint)
        .add("pod", entry.pod);
    return record;
}

Result<PendingRelease> read_entry(const std::string &path)
{
    TORTIE_TRY(const std::string text, read_file(path, kMostBytes));
    TORTIE_TRY(const Record record, Record::parse(text));
    return PendingRelease{.store = record.first("store"),
                          .network = record.first("network"),
                          .container_id = record.first("container"),
                          .node = record.first("node"),
                          .handles = record.all("handle"),
                          .queued_at = record.first("queued_at"),
                          .endpoint_ns = record.first("endpoint_namespace"),
                          .endpoint = record.first("endpoint"),
                          .pod = record.first("pod")};
}

// nullopt when there is nothing to do with it: gone, or set aside.
std::optional<PendingRelease> entry_of(const std::string &path)
{
    auto entry = read_entry(path);
    if (entry)
        return *std::move(entry);
    if (entry.error().kind() == ErrorKind::kNotFound)
        return std::nullopt;
    log::warn("an entry of the release queue cannot be read and is set aside",
              {{"file", path}, {"error", entry.error().what()}});
    if (entry.error().kind() == ErrorKind::kInvalidInput &&
        ::rename(path.c_str(), (path + ".corrupt").c_str()) < 0)
        log::warn("it could not be set aside", {{"file", path}});
    return std::nullopt;
}

std::vector<std::string> entries_in(const std::string &folder)
{
    const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(folder.c_str()), &::closedir);
    std::vector<std::string> paths;
    if (!dir)
        return paths;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own
    while (const dirent *entry = ::readdir(dir.get())) {
        if (std::string_view(entry->d_name).ends_with(kSuffix))
            paths.push_back(folder + '/' + entry->d_name);
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

std::string ReleaseQueue::path_of(const std::string &store, const std::string &network,
                                  const std::string &container_id) const
{
    const std::string key = store + '\n' + network + '\n' + container_id;
    return folder_ + '/' + sha512_hex(key, 32) + std::string(kSuffix);
}

Result<> ReleaseQueue::add(const PendingRelease &entry) const
{
    TORTIE_DO(make_directories(folder_, 0700));
    const std::string path = path_of(entry.store, entry.network, entry.container_id);
    return replace_file_durably(path, record_of(entry).text(), 0600);
}

// The caller holds `settling`. Success: nothing is left to do.
Result<> ReleaseQueue::settle_file(const std::string &path, const Release &release) const
{
    const auto entry = entry_of(path);
    if (!entry)
        return {};
    TORTIE_DO(release(*entry));
    TORTIE_DO(remove_file(path));
    log::info("made a release that had waited for the datastore",
              {{"network", entry->network}, {"container", entry->container_id}});
    return {};
}

Result<> ReleaseQueue::settle_container(const std::string &store, const std::string &network,
                                        const std::string &container_id, const Release &release,
                                        Deadline deadline) const
{
    const std::string path = path_of(store, network, container_id);
    if (::access(path.c_str(), F_OK) < 0 && errno == ENOENT)
        return {};
    TORTIE_TRY([[maybe_unused]] const FileLock settling,
               FileLock::acquire(folder_ + "/settling", 0600, deadline.left()));
    auto settled = settle_file(path, release);
    if (!settled)
        return fail(std::move(settled).error().within(
            "release what this container held before it was deleted"));
    return {};
}

std::size_t ReleaseQueue::settle(const std::string &store, std::size_t most, const Release &release,
                                 Deadline deadline) const
{
    const std::vector<std::string> paths = entries_in(folder_);
    if (paths.empty())
        return 0;
    auto settling = FileLock::try_acquire(folder_ + "/settling", 0600);
    if (!settling || !*settling)
        return 0;
    std::size_t made = 0;
    std::size_t tried = 0;
    // Another start each time: entries whose release always fails must not hold up the others.
    const std::size_t start = static_cast<std::size_t>(::getpid()) % paths.size();
    for (std::size_t i = 0; i < paths.size() && tried < most && !deadline.passed(); ++i) {
        const std::string &path = paths[(start + i) % paths.size()];
        const auto entry = entry_of(path);
        if (!entry || entry->store != store)
            continue;
        ++tried;
        const auto settled = settle_file(path, release);
        made += settled ? 1U : 0U;
        if (!settled && settled.error().kind() == ErrorKind::kTryAgain)
            break;
    }
    return made;
}

std::vector<PendingRelease> ReleaseQueue::list() const
{
    std::vector<PendingRelease> entries;
    for (const std::string &path : entries_in(folder_)) {
        if (auto entry = entry_of(path))
            entries.push_back(*std::move(entry));
    }
    return entries;
}

std::size_t ReleaseQueue::count() const
{
    return entries_in(folder_).size();
}

}  // namespace tortie::calico
