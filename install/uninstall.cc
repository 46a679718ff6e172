// SPDX-License-Identifier: Apache-2.0
#include "install/uninstall.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <set>
#include <utility>

#include "base/file.h"
#include "datapath/ebpf_removal.h"
#include "datapath/handover.h"
#include "install/datapath_choice.h"
#include "install/folder.h"
#include "install/kubeconfig_text.h"
#include "install/node_paths.h"
#include "install/record.h"

namespace tortie::installer {
namespace {

using Lines = std::vector<std::string>;

constexpr std::chrono::milliseconds kLockPatience{60'000};
constexpr std::size_t kMostBytes = 256UL * 1024 * 1024;
constexpr std::string_view kKubeconfigHead = "# Kubeconfig file for Calico CNI plugin.";
constexpr const char *kResults = "/var/lib/cni/results";  // the runtime's: network-container-ifname

// Container ids have no '-', names of networks may.
std::vector<Attachment> attachments_of_runtime()
{
    std::vector<Attachment> attachments;
    const auto folder = Folder::open(kResults);
    const auto names = folder ? folder->names() : Result<Lines>(Lines());
    if (!names)
        return attachments;
    for (const std::string &name : *names) {
        const std::size_t last = name.rfind('-');
        const std::size_t first =
            last == std::string::npos || last == 0 ? std::string::npos : name.rfind('-', last - 1);
        if (first != std::string::npos)
            attachments.push_back({.network = name.substr(0, first),
                                   .container_id = name.substr(first + 1, last - first - 1),
                                   .ifname = name.substr(last + 1)});
    }
    return attachments;
}

Result<> hand_over(PortMapper &nftables, PortMapper &iptables, Lines &lines)
{
    if (auto removed = remove_ebpf(); !removed)
        return fail(std::move(removed).error().within("detach the BPF programs"));
    auto handover = hand_over_host_ports(nftables, iptables, attachments_of_runtime());
    if (!handover)
        return fail(std::move(handover).error().within(
            "hand host ports over to iptables (on a node, or with --root and the host's tools)"));
    lines.push_back("host ports handed over to iptables: " + std::to_string(handover->ports));
    for (const std::string &kept : handover->kept)
        lines.push_back("kept in table inet tortie: " + kept);
    return handover->kept.empty() ? remove_tortie_table() : Result<>();
}

// Ours as it was written; what somebody has changed since is theirs.
Result<> remove_recorded(const std::string &path, const std::set<std::string> &hashes, Lines &lines)
{
    const auto content = read_file(path, kMostBytes);
    if (!content && content.error().kind() == ErrorKind::kNotFound)
        return {};
    if (!content || hashes.count(sha256_hex(*content)) == 0) {
        lines.push_back("kept, changed since it was installed: " + path);
        return {};
    }
    if (::unlink(path.c_str()) < 0 && errno != ENOENT)
        return fail(with_cure(errno, "remove " + path));
    lines.push_back("removed " + path);
    return {};
}

Result<> remove_records_of(const NodePaths &paths, const Record &record, std::string_view place,
                           Lines &lines)
{
    for (const auto &[name, hashes] : record.files()) {
        const std::string path = path_of_record(paths, name);
        const bool is_net = name.starts_with("net.d/");
        if (!path.empty() && is_net == (place == "net.d"))
            TORTIE_DO(remove_recorded(path, hashes, lines));
    }
    return {};
}

// calico-node rewrites it, so its first line tells whose it is.
Result<> remove_kubeconfig(const Folder &folder, Lines &lines)
{
    const auto content = folder.read(kKubeconfigName, 1024UL * 1024);
    if (!content || !content->starts_with(kKubeconfigHead))
        return {};
    TORTIE_DO(folder.remove(kKubeconfigName));
    lines.push_back("removed " + folder.path_of(kKubeconfigName));
    return {};
}

}  // namespace

Result<Lines> uninstall(PortMapper &nftables, PortMapper &iptables)
{
    const NodePaths paths = find_node_paths();
    TORTIE_TRY(const Folder folder, open_configurations(paths));
    TORTIE_DO(folder.lock(kLockPatience));
    Lines lines;
    TORTIE_DO(hand_over(nftables, iptables, lines));
    const Record record = Record::load(folder);
    TORTIE_DO(remove_records_of(paths, record, "net.d", lines));
    TORTIE_DO(remove_kubeconfig(folder, lines));
    ::unlinkat(folder.fd(), "calico-tls", AT_REMOVEDIR);
    TORTIE_DO(remove_records_of(paths, record, "binaries", lines));
    for (const char *name : {kReportName, kChoiceName, kRecordName})
        TORTIE_DO(folder.remove(name));
    folder.remove_leftovers();
    TORTIE_DO(folder.sync());
    return lines;
}

}  // namespace tortie::installer
