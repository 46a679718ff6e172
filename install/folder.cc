// SPDX-License-Identifier: Apache-2.0
#include "install/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/deadline.h"
#include "base/file.h"
#include "base/pause.h"
#include "install/staged_file.h"

namespace tortie::installer {
namespace {

constexpr std::size_t kMostNames = 4096;
constexpr std::chrono::milliseconds kLockPause{50};

const char *cure_of(int err)
{
    switch (err) {
    case EROFS:
        return " (mount the host's directory into the container writable)";
    case ENOSPC:
    case EDQUOT:
        return " (free space on the file system of the host's directory)";
    case EPERM:
        return " (is it immutable? lsattr on the host shows it, chattr -i cures it)";
    case EACCES:
        return " (SELinux or AppArmor of the host may forbid it: see its audit log)";
    case EISDIR:
    case ENOTDIR:
    case ENOTEMPTY:
        return " (remove what is in its place on the host)";
    default:
        return "";
    }
}

Result<std::string> read_regular(const UniqueFd &fd, const std::string &path, std::size_t max_bytes)
{
    struct stat st {};
    if (::fstat(fd.get(), &st) < 0)
        return fail(go_error(errno, "stat " + path));
    if (!S_ISREG(st.st_mode))
        return fail(ErrorKind::kInvalidInput, path + " is not a regular file");
    return read_to_end(fd.get(), max_bytes, path);
}

}  // namespace

Error with_cure(int err, std::string_view doing)
{
    return Error::from_errno(err, doing, go_errno_text(err) + cure_of(err));
}

Result<std::string> read_mounted(const std::string &path, std::size_t max_bytes)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid())
        return fail(go_error(errno, "open " + path));
    return read_regular(fd, path, max_bytes);
}

Result<Folder> Folder::open(const std::string &path)
{
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid())
        return fail(go_error(errno, "open " + path));
    return Folder(path, std::move(fd));
}

Result<Folder> Folder::open_below(const std::string &name) const
{
    UniqueFd below(::openat(fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below.valid())
        return fail(with_cure(errno, "open " + path_of(name)));
    return Folder(path_of(name), std::move(below));
}

bool Folder::is_writable() const
{
    const UniqueFd nameless(::openat(fd(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (nameless.valid())
        return true;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return false;
    const std::string name = staging_name("probe");
    const UniqueFd named(
        ::openat(fd(), name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    return named.valid() && ::unlinkat(fd(), name.c_str(), 0) == 0;
}

Result<> Folder::lock(std::chrono::milliseconds patience) const
{
    const Deadline deadline = Deadline::in(patience);
    while (::flock(fd(), LOCK_EX | LOCK_NB) < 0) {
        const int err = errno;
        if (err != EWOULDBLOCK && err != EINTR)
            return fail(go_error(err, "lock " + path_));
        if (deadline.passed()) {
            return fail(ErrorKind::kTryAgain,
                        "another installer has been at work in " + path_ +
                            " for too long: look for a second install-cni container on this node");
        }
        pause_for(kLockPause);
    }
    return {};
}

bool Folder::holds(const std::string &name) const
{
    struct stat st {};
    return ::fstatat(fd_.get(), name.c_str(), &st, 0) == 0;
}

Result<std::string> Folder::read(const std::string &name, std::size_t max_bytes) const
{
    const UniqueFd file(
        ::openat(fd(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.valid())
        return fail(go_error(errno, "open " + path_of(name)));
    return read_regular(file, path_of(name), max_bytes);
}

Result<std::vector<std::string>> Folder::names() const
{
    // Of its own: reading moves a position that descriptors of one open() share.
    const int again = ::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR *)> stream(again < 0 ? nullptr : ::fdopendir(again),
                                                      ::closedir);
    if (!stream)
        return fail(go_error(errno, "open " + path_));
    std::vector<std::string> names;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own
    while (const dirent *entry = ::readdir(stream.get())) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..")
            continue;
        if (names.size() == kMostNames)
            return fail(ErrorKind::kInvalidInput, "too many files in " + path_);
        names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<> Folder::remove(const std::string &name) const
{
    if (::unlinkat(fd(), name.c_str(), 0) == 0 || errno == ENOENT)
        return {};
    return fail(with_cure(errno, "remove " + path_of(name)));
}

void Folder::remove_leftovers() const
{
    const auto all = names();
    if (!all)
        return;
    for (const std::string &name : *all) {
        if (is_staging_name(name))
            ::unlinkat(fd(), name.c_str(), 0);
    }
}

Result<> Folder::sync() const
{
    if (::fsync(fd()) < 0)
        return fail(with_cure(errno, "sync " + path_));
    return {};
}

}  // namespace tortie::installer
