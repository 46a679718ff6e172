// SPDX-License-Identifier: Apache-2.0
#include "tuning/backup.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <set>
#include <utility>

#include "base/file.h"
#include "cni/json.h"

namespace tortie::tuning {
namespace {

using cni::Json;
using cni::JsonWriter;

constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kUnfinishedSuffix = ".json.tmp";  // of a killed replace_file()
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

Result<std::optional<std::uint32_t>> number(const Json &json, std::string_view key)
{
    TORTIE_TRY(const auto value, json.optional_integer(key));
    if (!value)
        return std::nullopt;
    if (!std::in_range<std::uint32_t>(*value))
        return fail(ErrorKind::kInvalidInput, std::string(key) + " is out of range");
    return static_cast<std::uint32_t>(*value);
}

Result<Settings> parse_settings(const Json &json)
{
    Settings before;
    TORTIE_TRY(const std::string mac, json.string("mac"));
    if (!mac.empty()) {
        before.mac = parse_mac(mac);
        if (!before.mac)
            return fail(ErrorKind::kInvalidInput, "mac is no address");
    }
    TORTIE_TRY(before.promisc, json.optional_boolean("promisc"));
    TORTIE_TRY(before.mtu, number(json, "mtu"));
    if (before.mtu == 0u)
        before.mtu.reset();
    TORTIE_TRY(before.allmulti, json.optional_boolean("allmulti"));
    TORTIE_TRY(before.tx_queue_len, number(json, "txQLen"));
    TORTIE_TRY(auto sysctls, json.string_map("sysctl"));
    for (auto &[name, value] : sysctls)
        before.sysctls.insert_or_assign(std::move(name), std::move(value));
    return before;
}

JsonWriter print_sysctls(const std::map<std::string, std::string> &sysctls)
{
    JsonWriter object;
    for (const auto &[name, value] : sysctls)
        object.set(name, value);
    return object;
}

std::string path_in(const std::string &data_dir, std::string_view name,
                    std::string_view suffix = "")
{
    std::string path = data_dir;
    path.append("/").append(name).append(suffix);
    return path;
}

// The attachment that a file of the directory belongs to; empty for other files.
std::string_view attachment_of(std::string_view file)
{
    for (const std::string_view suffix : {kSuffix, kUnfinishedSuffix}) {
        if (file.ends_with(suffix))
            return file.substr(0, file.size() - suffix.size());
    }
    return {};
}

bool belongs_to(const std::string &path, std::string_view network)
{
    const auto text = read_file(path, kMaxBytes);
    if (!text)
        return false;
    const auto backup = parse_backup(*text);
    return backup && backup->network == network;
}

// The attachments of `network` in the directory that are not valid any more.
Result<std::set<std::string>> stale_attachments(const std::string &data_dir,
                                                std::string_view network,
                                                const std::vector<std::string> &valid)
{
    const std::set<std::string, std::less<>> keep(valid.begin(), valid.end());
    std::set<std::string> stale;
    const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(data_dir.c_str()), &::closedir);
    if (!dir && errno == ENOENT)
        return stale;
    if (!dir)
        return fail(go_error(errno, "open " + data_dir));
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a plugin has one thread
    while (const dirent *entry = ::readdir(dir.get())) {
        const std::string file = entry->d_name;
        const std::string_view attachment = attachment_of(file);
        if (!attachment.empty() && !keep.contains(attachment) &&
            belongs_to(path_in(data_dir, file), network))
            stale.emplace(attachment);
    }
    return stale;
}

}  // namespace

std::string print_backup(const Backup &backup)
{
    const Settings &before = backup.before;
    JsonWriter json;
    if (before.mac)
        json.set("mac", print_mac(*before.mac));
    if (before.promisc)
        json.set("promisc", *before.promisc);
    if (before.mtu)
        json.set("mtu", std::int64_t{*before.mtu});
    if (before.allmulti)
        json.set("allmulti", *before.allmulti);
    if (before.tx_queue_len)
        json.set("txQLen", std::int64_t{*before.tx_queue_len});
    if (!before.sysctls.empty())
        json.set("sysctl", print_sysctls(before.sysctls));
    if (!backup.network.empty())
        json.set("network", backup.network);
    return json.text(1);
}

Result<Backup> parse_backup(std::string_view text)
{
    TORTIE_TRY(const Json json, Json::parse_object(text));
    Backup backup;
    TORTIE_TRY(backup.before, parse_settings(json));
    TORTIE_TRY(backup.network, json.string("network"));
    return backup;
}

Settings merge(const Settings &first, const Settings &now)
{
    Settings merged = first;
    merged.sysctls.insert(now.sysctls.begin(), now.sysctls.end());
    const auto fill = [](auto &value, const auto &other) {
        if (!value)
            value = other;
    };
    fill(merged.mac, now.mac);
    fill(merged.promisc, now.promisc);
    fill(merged.mtu, now.mtu);
    fill(merged.allmulti, now.allmulti);
    fill(merged.tx_queue_len, now.tx_queue_len);
    return merged;
}

std::string backup_name(const std::string &container_id, const std::string &ifname)
{
    return container_id + '_' + ifname;
}

Result<BackupFile> BackupFile::of(const std::string &data_dir, const std::string &container_id,
                                  const std::string &ifname)
{
    const std::string name = backup_name(container_id, ifname);
    if (name.size() + kUnfinishedSuffix.size() > NAME_MAX)
        return fail(ErrorKind::kInvalidInput,
                    "container ID is too long for the name of a backup file");
    return BackupFile(data_dir, path_in(data_dir, name, kSuffix));
}

Result<Backup> BackupFile::read() const
{
    TORTIE_TRY(const std::string text, read_file(path_, kMaxBytes));
    return parse_backup(text);
}

Result<> BackupFile::write(const Backup &backup) const
{
    const std::string text = print_backup(backup);
    if (text.size() > kMaxBytes)
        return fail(ErrorKind::kInvalidInput, "the values to restore are longer than " +
                                                  std::to_string(kMaxBytes) + " bytes");
    // Parents (/run/cni) belong to others as well.
    if (const std::size_t slash = data_dir_.rfind('/'); slash != std::string::npos && slash > 0)
        TORTIE_DO(make_directories(data_dir_.substr(0, slash), 0755));
    TORTIE_DO(make_directories(data_dir_, 0700));
    return replace_file(path_, text, 0600);
}

Result<> BackupFile::remove() const
{
    return remove_file(path_);
}

Result<> collect_backups(const std::string &data_dir, std::string_view network,
                         const std::vector<std::string> &valid)
{
    TORTIE_TRY(const auto stale, stale_attachments(data_dir, network, valid));
    for (const std::string &attachment : stale)
        TORTIE_DO(remove_file(path_in(data_dir, attachment, kSuffix)));
    return {};
}

}  // namespace tortie::tuning
