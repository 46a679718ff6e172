// SPDX-License-Identifier: Apache-2.0
#include "calico/host_local_migration.h"

#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/strings.h"
#include "calico/ipam_handle.h"
#include "ipam/allocator.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;
constexpr int kMostTries = 5;
constexpr const char *kTunnelAnnotation = "projectcalico.org/IPv4IPIPTunnelAddr";

struct PodName {
    std::string ns;
    std::string name;
};

// One process's work: what it knows of the node while it goes.
class Migration {
public:
    Migration(store::Store &store, const IpamSite &site, const HostLocalPlace &place,
              Deadline deadline)
        : store_(store), site_(site), place_(place), deadline_(deadline)
    {
    }

    Result<std::size_t> run()
    {
        TORTIE_DO(keep_tunnel_address());
        TORTIE_TRY(const std::size_t moved, files().empty() ? 0 : move_while_not_ready());
        if (::access(mark().c_str(), F_OK) == 0)
            TORTIE_DO(set_ready(true));
        TORTIE_DO(remove_folder());
        return moved;
    }

private:
    Result<std::size_t> move_while_not_ready()
    {
        TORTIE_DO(replace_file(mark(), "", 0600));
        TORTIE_DO(set_ready(false));
        auto moved = move_all();
        if (!moved)
            TORTIE_DO(set_ready(true));
        return moved;
    }

    // Stands in the folder from before we say "not ready" until it goes: who runs again after a
    // kill knows whose word that was.
    std::string mark() const { return place_.folder + "/migrating"; }

    // Addresses, without the lock and the notes of host-local.
    std::vector<std::string> files() const
    {
        const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(place_.folder.c_str()),
                                                       &::closedir);
        std::vector<std::string> names;
        if (!dir)
            return names;
        // NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own
        while (const dirent *entry = ::readdir(dir.get())) {
            if (IpAddr::parse(entry->d_name))
                names.emplace_back(entry->d_name);
        }
        return names;
    }

    // The first address of the node's pod CIDR was the tunnel's. A CIDR that is in no pool has
    // none.
    Result<> keep_tunnel_address()
    {
        TORTIE_TRY(const auto node,
                   store::get<store::Node>(store_, store::NodeKey{site_.node}, deadline_));
        if (node.document.annotations.contains(kTunnelAnnotation))
            return {};
        for (const std::string &text : node.document.pod_cidrs) {
            const auto cidr = Cidr::parse(text);
            if (!cidr || cidr->addr.family() != Family::kIpv4)
                continue;
            const auto kept = assign(cidr->network().next(), "ipip-tunnel-addr-" + site_.node,
                                     {{"node", site_.node}, {"type", "ipipTunnelAddress"}});
            if (!kept && kept.error().kind() != ErrorKind::kNotFound)
                return fail(kept.error());
            if (kept)
                TORTIE_DO(tell_tunnel_address(cidr->network().next()));
        }
        return {};
    }

    // Felix and BIRD of this node and of the others read it there.
    Result<> tell_tunnel_address(const IpAddr &address)
    {
        for (int tries = 1;; ++tries) {
            TORTIE_TRY(auto node,
                       store::get<store::Node>(store_, store::NodeKey{site_.node}, deadline_));
            node.document.annotations[kTunnelAnnotation] = address.to_string();
            const store::Write write{.op = store::Op::kUpdate,
                                     .key = store::NodeKey{site_.node},
                                     .document = node.document,
                                     .expected = node.revision,
                                     .stage = 0};
            const auto written = std::move(store_.commit({&write, 1}, deadline_).front());
            if (written)
                return {};
            if (written.error().kind() != ErrorKind::kConflict || tries == kMostTries)
                return fail(Error(written.error()).within("store the tunnel's address"));
        }
    }

    // True when it was not allocated before. Somebody who has it already is us, an earlier time.
    Result<bool> assign(const IpAddr &ip, const std::string &handle,
                        const kube::StringMap &attributes)
    {
        ipam::Request request;
        request.handle = handle;
        request.attributes = attributes;
        request.specific = ip;
        auto found = store_.read(ipam::view_queries(site_.node), deadline_);
        TORTIE_TRY(ipam::View view, ipam::view_of(found));
        ipam::Hint hint;
        auto answer = std::move(
            ipam::assign(store_, site_.node, std::move(view), {&request, 1}, hint, deadline_)
                .front());
        if (!answer && answer.error().kind() == ErrorKind::kExists)
            return false;
        if (!answer)
            return fail(std::move(answer).error().within("assign " + ip.to_string()));
        return true;
    }

    Result<> set_ready(bool ready)
    {
        for (int tries = 1;; ++tries) {
            auto held = store::get<store::ClusterInformation>(
                store_, store::ClusterInformationKey{}, deadline_);
            if (!held)
                return fail(std::move(held).error());
            if (held->document.datastore_ready == ready)
                return {};
            held->document.datastore_ready = ready;
            store::Write write;
            write.op = store::Op::kUpdate;
            write.key = store::ClusterInformationKey{};
            write.document = held->document;
            write.expected = held->revision;
            const auto written = std::move(store_.commit({&write, 1}, deadline_).front());
            if (written)
                return {};
            if (written.error().kind() != ErrorKind::kConflict || tries == kMostTries)
                return fail(written.error());
        }
    }

    Result<std::map<IpAddr, PodName>> pods_by_address()
    {
        const store::Query query = store::ListPodsOnNode{site_.node};
        TORTIE_TRY(const auto pods,
                   store::all<kube::Pod>(std::move(store_.read({&query, 1}, deadline_).front())));
        std::map<IpAddr, PodName> by_address;
        for (const auto &held : pods) {
            const kube::Pod &pod = held.document;
            std::vector<std::string> texts = pod.pod_ips;
            texts.push_back(pod.pod_ip);
            for (const std::string &text : texts) {
                const auto ip = IpAddr::parse(text);
                if (ip && !pod.host_network)
                    by_address.emplace(*ip, PodName{pod.meta.ns, pod.meta.name});
            }
        }
        return by_address;
    }

    Result<std::size_t> move_all()
    {
        for (const std::string &program : place_.programs)
            TORTIE_DO(remove_file(program));
        ::poll(nullptr, 0, static_cast<int>(place_.settle.count()));
        TORTIE_TRY([[maybe_unused]] const FileLock lock,
                   FileLock::acquire(place_.folder + "/lock", 0600, deadline_.left()));
        TORTIE_TRY(const auto pods, pods_by_address());
        std::size_t moved = 0;
        for (const std::string &name : files()) {
            TORTIE_TRY(const bool is_new, move_one(name, pods));
            moved += is_new ? 1U : 0U;
        }
        return moved;
    }

    // The file goes only when its address stands in the datastore, or nobody has it.
    Result<bool> move_one(const std::string &name, const std::map<IpAddr, PodName> &pods)
    {
        const std::string path = place_.folder + '/' + name;
        TORTIE_TRY(const std::string text, read_file(path, kMaxFileBytes));
        const std::string container(trim(split(text, '\n').front()));
        const IpAddr ip = *IpAddr::parse(name);
        const auto pod = pods.find(ip);
        bool is_new = false;
        if (pod != pods.end() && !container.empty()) {
            TORTIE_TRY(is_new, assign(ip, handle_id(place_.network, container),
                                      owner_attributes(site_.node, pod->second.ns, pod->second.name,
                                                       std::chrono::system_clock::now())));
        } else {
            log::info("an address of host-local belongs to no pod", {{"address", name}});
        }
        TORTIE_DO(remove_file(path));
        return is_new;
    }

    // What is left in it are host-local's lock and notes.
    Result<> remove_folder()
    {
        const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(place_.folder.c_str()),
                                                       &::closedir);
        // NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own
        while (const dirent *entry = dir ? ::readdir(dir.get()) : nullptr) {
            const std::string_view name = entry->d_name;
            if (name == "lock" || name.starts_with("migrating") ||
                name.find("last") != std::string_view::npos)
                ::unlinkat(::dirfd(dir.get()), entry->d_name, 0);
        }
        if (::rmdir(place_.folder.c_str()) < 0 && errno != ENOENT)
            return fail_errno(errno, "remove " + place_.folder);
        return {};
    }

    store::Store &store_;
    const IpamSite &site_;
    const HostLocalPlace &place_;
    Deadline deadline_;
};

}  // namespace

Result<std::size_t> migrate_host_local(store::Store &store, const IpamSite &site,
                                       const HostLocalPlace &place,
                                       std::chrono::milliseconds budget)
{
    struct stat st {};
    if (::stat(place.folder.c_str(), &st) < 0 && errno == ENOENT)
        return 0;
    return Migration(store, site, place, Deadline::in(budget)).run();
}

}  // namespace tortie::calico
