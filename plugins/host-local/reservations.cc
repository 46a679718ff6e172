// SPDX-License-Identifier: Apache-2.0
#include "host-local/reservations.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/log.h"

namespace tortie::host_local {
namespace {

std::optional<BootId> read_boot_id()
{
    const auto text = read_file("/proc/sys/kernel/random/boot_id", 64);
    BootId id{};
    if (!text || text->size() < id.size())
        return std::nullopt;
    std::copy_n(text->begin(), id.size(), id.begin());
    return id;
}

UniqueFd open_directory(const std::string &path)
{
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

void keep_first(Result<> &first, Result<> next)
{
    if (first && !next)
        first = std::move(next);
}

}  // namespace

Result<Reservations> Reservations::load(Store store, const std::string &data_dir,
                                        const std::string &network)
{
    Reservations all(std::move(store), data_dir + "/.tortie", network + ".index");
    if (!all.load_index())
        TORTIE_DO(all.rescan());
    return all;
}

Reservations::Reservations(Store store, std::string index_path, std::string index_name)
    : store_(std::move(store)),
      index_path_(std::move(index_path)),
      index_name_(std::move(index_name)),
      index_directory_(open_directory(index_path_)),
      boot_id_(read_boot_id())
{
}

bool Reservations::load_index()
{
    const auto stamp = store_.stamp();
    if (!index_directory_.valid() || !boot_id_ || !stamp)
        return false;
    auto index = Index::load(index_directory_.get(), index_name_,
                             {.boot_id = *boot_id_, .directory = *stamp});
    if (!index) {
        log::debug("index not used", {{"why", index.error().what()}});
        return false;
    }
    index_ = *std::move(index);
    return true;
}

Result<> Reservations::rescan()
{
    return collect([](std::string_view) { return true; });
}

Result<> Reservations::collect(const std::function<bool(std::string_view owner)> &keep)
{
    Index fresh;
    Result<> outcome;
    Result<> indexed;
    auto scanned = store_.scan([&](const IpAddr &ip, const Holder &holder) {
        if (holder.kind == Holder::Kind::kOwner && !keep(holder.owner)) {
            auto removed = store_.remove(ip);
            if (removed)
                return;
            keep_first(outcome, std::move(removed));
        }
        keep_first(indexed, fresh.put(holder.owner, ip));
    });
    TORTIE_DO(scanned);
    TORTIE_DO(indexed);
    index_ = std::move(fresh);
    exact_ = true;
    changed_ = true;
    index_lost_ = false;
    return outcome;
}

template <class Question>
auto Reservations::ask(const Question &question) -> decltype(question(std::declval<Index &>()))
{
    auto answer = question(index_);
    if (answer || exact_)
        return answer;
    log::debug("index not used", {{"why", answer.error().what()}});
    TORTIE_DO(rescan());
    return question(index_);
}

Result<std::vector<IpAddr>> Reservations::files_of(const std::string &owner)
{
    TORTIE_TRY(const auto ips, ask([&](Index &index) { return index.held_by(owner); }));
    // To pass over one that cannot be read would lose the address for good: nobody asks again.
    std::vector<IpAddr> held;
    for (const IpAddr &ip : ips) {
        const Holder holder = store_.holder(ip);
        if (holder.kind == Holder::Kind::kUnreadable)
            return fail(ErrorKind::kSystem, "cannot read the reservation of " + ip.to_string());
        if (holder.owner == owner)
            held.push_back(ip);
    }
    return held;
}

Result<std::vector<IpAddr>> Reservations::held_by(const Attachment &attachment)
{
    TORTIE_TRY(auto ips, files_of(attachment.owner()));
    TORTIE_TRY(const auto old_ips, files_of(attachment.old_owner()));
    ips.insert(ips.end(), old_ips.begin(), old_ips.end());
    return ips;
}

Result<bool> Reservations::reserve(const IpAddr &ip, const Attachment &attachment)
{
    const std::string owner = attachment.owner();
    TORTIE_TRY(bool made, store_.reserve(ip, owner));
    if (!made && store_.holder(ip).kind == Holder::Kind::kTorn) {
        TORTIE_DO(store_.remove(ip));
        TORTIE_TRY(made, store_.reserve(ip, owner));
    }
    // Somebody has it. An index that is exact learns that; another one is not to be believed.
    if (!made && !exact_)
        return false;
    changed_ = true;
    if (!index_.put(made ? std::string_view(owner) : std::string_view(), ip))
        index_lost_ = true;
    return made;
}

Result<std::optional<IpAddr>> Reservations::first_free(const IpAddr &from, const IpAddr &to)
{
    return ask([&](Index &index) { return index.first_free(from, to); });
}

Result<> Reservations::release(const IpAddr &ip, const Attachment &attachment)
{
    const std::string owner = attachment.owner();
    if (store_.holder(ip).owner != owner)
        return {};
    TORTIE_DO(store_.remove(ip));
    changed_ = true;
    if (!index_.erase(owner, ip))
        index_lost_ = true;
    return {};
}

Result<unsigned> Reservations::release_owner(const std::string &owner)
{
    TORTIE_TRY(const auto ips, files_of(owner));
    Result<> outcome;
    for (const IpAddr &ip : ips) {
        auto removed = store_.remove(ip);
        changed_ = true;
        if (removed && !index_.erase(owner, ip))
            index_lost_ = true;
        keep_first(outcome, std::move(removed));
    }
    TORTIE_DO(outcome);
    return static_cast<unsigned>(ips.size());
}

Result<> Reservations::release_all(const Attachment &attachment)
{
    TORTIE_TRY(const unsigned released, release_owner(attachment.owner()));
    if (released == 0)
        TORTIE_DO(release_owner(attachment.old_owner()));
    return {};
}

void Reservations::save_index()
{
    if (!changed_ || index_lost_)
        return;
    if (const auto saved = try_save_index(); !saved)
        log::debug("index not saved", {{"why", saved.error().what()}});
}

Result<> Reservations::try_save_index()
{
    if (!boot_id_)
        return fail(ErrorKind::kSystem, "no boot id");
    if (!index_directory_.valid()) {
        if (::mkdir(index_path_.c_str(), 0700) < 0 && errno != EEXIST)
            return fail_errno(errno, "mkdir " + index_path_);
        index_directory_ = open_directory(index_path_);
    }
    if (!index_directory_.valid())
        return fail_errno(errno, "open " + index_path_);
    TORTIE_TRY(const DirectoryStamp stamp, store_.seal());
    return index_.save(index_directory_.get(), index_name_,
                       {.boot_id = *boot_id_, .directory = stamp});
}

}  // namespace tortie::host_local
