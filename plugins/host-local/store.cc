// SPDX-License-Identifier: Apache-2.0
#include "host-local/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>

#include "base/file.h"
#include "base/scope_exit.h"
#include "base/strings.h"

namespace tortie::host_local {
namespace {

constexpr std::chrono::seconds kLockDeadline{10};
constexpr std::string_view kPointerPrefix = "last_reserved_ip.";
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::size_t kMaxReservationBytes = std::size_t{256} << 10;

std::string pointer_name(std::size_t range_set)
{
    return std::string(kPointerPrefix) + std::to_string(range_set);
}

bool is_id(std::string_view text)
{
    const auto alphanumeric = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    return !text.empty() && alphanumeric(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_ifname(std::string_view text)
{
    return !text.empty() && text.size() < 16 &&
           text.find_first_of(std::string_view("/: \t\r\n\v\f\0", 9)) == std::string_view::npos;
}

bool is_plain_text(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= ' ' && c <= '~') || c == '\t' || c == '\r' || c == '\n';
    });
}

// The file's content; nullopt when it cannot be read or is no regular file. `read` is one call
// for all that are short.
std::optional<std::string> read_regular(int fd, std::size_t max_bytes)
{
    std::array<char, 512> head;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    ssize_t got = 0;
    do {
        got = ::read(fd, head.data(), head.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return std::nullopt;
    std::string content(head.data(), static_cast<std::size_t>(got));
    if (content.size() == head.size()) {
        const auto rest = read_to_end(fd, max_bytes, "reservation");
        if (!rest)
            return std::nullopt;
        content += *rest;
    }
    return content;
}

bool is_regular(int fd)
{
    struct stat st {};
    return ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

// A link or a device without its driver in the way is not a reservation.
Holder::Kind why_not_opened(int err)
{
    if (err == ENOENT)
        return Holder::Kind::kNobody;
    return err == ELOOP || err == ENXIO || err == ENODEV ? Holder::Kind::kUnknown
                                                         : Holder::Kind::kUnreadable;
}

}  // namespace

Holder parse_holder(std::string_view content)
{
    using Kind = Holder::Kind;
    const std::string_view text = trim(content);
    const std::size_t line_break = text.find("\r\n");
    const bool is_owner =
        line_break == std::string_view::npos
            ? is_id(text)
            : is_id(text.substr(0, line_break)) && is_ifname(text.substr(line_break + 2));
    if (is_owner)
        return {.kind = Kind::kOwner, .owner = std::string(text)};
    // A power cut or a full disk leaves nothing, zeros or other files' blocks. Words are a
    // person's, who may want the address to be left alone.
    return {.kind = !text.empty() && is_plain_text(text) ? Kind::kUnknown : Kind::kTorn,
            .owner = {}};
}

Result<Store> Store::open(const std::string &data_dir, const std::string &network)
{
    std::string path = data_dir + '/' + network;
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!directory.valid())
        return fail_errno(errno, "open " + path);
    TORTIE_TRY(FileLock lock, FileLock::acquire(path + "/lock", 0750, kLockDeadline));
    return Store(std::move(directory), std::move(lock), std::move(path));
}

Result<Store> Store::create(const std::string &data_dir, const std::string &network)
{
    auto store = open(data_dir, network);
    if (store || store.error().kind() != ErrorKind::kNotFound)
        return store;
    TORTIE_DO(make_directories(data_dir + '/' + network, 0755));
    return open(data_dir, network);
}

Result<bool> Store::reserve(const IpAddr &ip, std::string_view owner)
{
    const std::string name = ip.to_string();
    const UniqueFd fd(::openat(directory_.get(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid() && errno == EEXIST)
        return false;
    if (!fd.valid())
        return fail(go_error(errno, "open " + path_ + '/' + name));
    ScopeExit undo([&] { ::unlinkat(directory_.get(), name.c_str(), 0); });
    const ssize_t put = ::write(fd.get(), owner.data(), owner.size());
    if (put < 0)
        return fail(go_error(errno, "write " + path_ + '/' + name));
    // Short only when the disk becomes full in the middle.
    if (static_cast<std::size_t>(put) != owner.size())
        return fail(go_error(ENOSPC, "write " + path_ + '/' + name));
    undo.dismiss();
    return true;
}

Holder Store::holder(const IpAddr &ip) const
{
    return read_holder(ip.to_string().c_str());
}

Holder Store::read_holder(const char *name) const
{
    using Kind = Holder::Kind;
    // O_NONBLOCK: a FIFO in the way must not hang us.
    const UniqueFd fd(
        ::openat(directory_.get(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd.valid())
        return {.kind = why_not_opened(errno), .owner = {}};
    const auto content = read_regular(fd.get(), kMaxReservationBytes);
    if (!content)
        return {.kind = is_regular(fd.get()) ? Kind::kUnreadable : Kind::kUnknown, .owner = {}};
    Holder holder = parse_holder(*content);
    if (holder.kind == Kind::kTorn && !is_regular(fd.get()))
        holder.kind = Kind::kUnknown;
    return holder;
}

Result<> Store::remove(const IpAddr &ip)
{
    const std::string name = ip.to_string();
    if (::unlinkat(directory_.get(), name.c_str(), 0) < 0 && errno != ENOENT)
        return fail(go_error(errno, "remove " + path_ + '/' + name));
    return {};
}

std::optional<IpAddr> Store::last_reserved(std::size_t range_set) const
{
    const UniqueFd fd(::openat(directory_.get(), pointer_name(range_set).c_str(),
                               O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd.valid())
        return std::nullopt;
    const auto text = read_regular(fd.get(), 0);
    return text ? IpAddr::parse(*text) : std::nullopt;
}

// Two names change places, then the old content goes. A plain rename over an existing file makes
// ext4 write the new one to the disk at once (auto_da_alloc), which takes as long as all the rest
// of an ADD.
Result<> Store::set_last_reserved(std::size_t range_set, const IpAddr &ip)
{
    const int dir = directory_.get();
    const std::string name = pointer_name(range_set);
    const std::string fresh = name + std::string(kTemporarySuffix);
    const UniqueFd fd(
        ::openat(dir, fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid())
        return fail(go_error(errno, "open " + path_ + '/' + name));
    ScopeExit remove_fresh([&] { ::unlinkat(dir, fresh.c_str(), 0); });
    TORTIE_DO(write_all(fd.get(), ip.to_string(), path_ + '/' + name));
    if (::renameat2(dir, fresh.c_str(), dir, name.c_str(), RENAME_EXCHANGE) == 0)
        return {};
    // The first one of its kind, or a file system that cannot exchange.
    if (::renameat(dir, fresh.c_str(), dir, name.c_str()) < 0)
        return fail(go_error(errno, "rename " + path_ + '/' + name));
    remove_fresh.dismiss();
    return {};
}

Result<> Store::scan(const std::function<void(const IpAddr &, const Holder &)> &visit)
{
    const int fd = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(errno, "open " + path_);
    const std::unique_ptr<DIR, int (*)(DIR *)> entries(::fdopendir(fd), ::closedir);
    if (entries == nullptr) {
        const int err = errno;
        ::close(fd);
        return fail_errno(err, "list " + path_);
    }
    for (;;) {
        errno = 0;
        const dirent *entry = ::readdir(entries.get());  // NOLINT(concurrency-mt-unsafe): ours
        if (entry == nullptr)
            break;
        visit_entry(entry->d_name, visit);
    }
    if (errno != 0)
        return fail_errno(errno, "list " + path_);
    return {};
}

void Store::visit_entry(const char *name,
                        const std::function<void(const IpAddr &, const Holder &)> &visit)
{
    const std::string_view text(name);
    if (text.starts_with(kPointerPrefix) && text.ends_with(kTemporarySuffix)) {
        ::unlinkat(directory_.get(), name, 0);
        return;
    }
    const auto ip = IpAddr::parse(text);
    if (!ip || ip->to_string() != text)
        return;
    const Holder holder = read_holder(name);
    if (holder.kind == Holder::Kind::kTorn && ::unlinkat(directory_.get(), name, 0) == 0)
        return;
    visit(*ip, holder);
}

Result<DirectoryStamp> Store::stamp() const
{
    struct stat st {};
    if (::fstat(directory_.get(), &st) < 0)
        return fail_errno(errno, "stat " + path_);
    return DirectoryStamp{.device = st.st_dev,
                          .inode = st.st_ino,
                          .modified_s = st.st_mtim.tv_sec,
                          .modified_ns = st.st_mtim.tv_nsec,
                          .changed_s = st.st_ctim.tv_sec,
                          .changed_ns = st.st_ctim.tv_nsec};
}

Result<DirectoryStamp> Store::seal()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const std::array<timespec, 2> times{timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, now};
    if (::futimens(directory_.get(), times.data()) < 0)
        return fail_errno(errno, "set times of " + path_);
    TORTIE_TRY(const DirectoryStamp sealed, stamp());
    if (sealed.modified_s != now.tv_sec || sealed.modified_ns != now.tv_nsec)
        return fail(ErrorKind::kUnsupported, path_ + " keeps no nanoseconds");
    return sealed;
}

}  // namespace tortie::host_local
