// SPDX-License-Identifier: Apache-2.0
#include "install/etcd_assets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/log.h"
#include "install/staged_file.h"

namespace tortie::installer {
namespace {

constexpr std::array<const char *, 3> kNames = {"etcd-ca", "etcd-cert", "etcd-key"};
constexpr const char *kFolder = "calico-tls";
constexpr std::size_t kMostBytes = 1024UL * 1024;  // what a Secret can hold

Result<Folder> make_folder(const Folder &net_folder)
{
    if (::mkdirat(net_folder.fd(), kFolder, 0700) < 0 && errno != EEXIST)
        return fail(with_cure(errno, "mkdir " + net_folder.path_of(kFolder)));
    return net_folder.open_below(kFolder);
}

}  // namespace

Result<EtcdAssets> read_etcd_assets(const std::string &folder)
{
    EtcdAssets assets;
    for (const char *name : kNames) {
        auto content = read_mounted(folder + '/' + name, kMostBytes);
        if (content)
            assets.emplace(name, *std::move(content));
        else if (content.error().kind() != ErrorKind::kNotFound &&
                 content.error().sys_errno() != ENOTDIR)
            return fail(std::move(content).error());
    }
    return assets;
}

EtcdFiles etcd_files(const EtcdAssets &assets, const std::string &net_dir)
{
    const auto path = [&](const char *name) {
        return assets.count(name) == 0 ? std::string() : net_dir + '/' + kFolder + '/' + name;
    };
    return {.cert = path("etcd-cert"), .ca = path("etcd-ca"), .key = path("etcd-key")};
}

Result<> write_etcd_assets(const Folder &net_folder, const EtcdAssets &assets, Record &record)
{
    TORTIE_TRY(const Folder folder, make_folder(net_folder));
    for (const char *name : kNames) {
        if (assets.count(name) == 0)
            log::warn(std::string("Missing ") + name);
    }
    std::vector<StagedFile> staged;
    staged.reserve(assets.size());
    for (const auto &[name, content] : assets) {
        record.will_write("net.d/" + std::string(kFolder) + '/' + name, sha256_hex(content));
        if (is_like(folder, name, content, 0600))
            continue;
        TORTIE_TRY(StagedFile file, StagedFile::write(folder, name, content, 0600));
        staged.push_back(std::move(file));
    }
    if (staged.empty())
        return {};
    TORTIE_DO(record.save(net_folder));
    for (StagedFile &file : staged)
        TORTIE_DO(file.put_in_place());
    return folder.sync();
}

void remove_other_etcd_assets(const Folder &net_folder, const EtcdAssets &assets)
{
    const auto folder = net_folder.open_below(kFolder);
    if (!folder)
        return;
    const auto names = folder->names();
    if (!names) {
        log::warn("cannot list old TLS assets", {{"error", names.error().what()}});
        return;
    }
    for (const std::string &name : *names) {
        if (assets.count(name) > 0)
            continue;
        if (auto removed = folder->remove(name); !removed)
            log::warn("cannot remove an old TLS asset", {{"error", removed.error().what()}});
    }
    if (assets.empty())
        ::unlinkat(net_folder.fd(), kFolder, AT_REMOVEDIR);
}

}  // namespace tortie::installer
