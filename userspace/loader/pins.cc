// SPDX-License-Identifier: Apache-2.0
#include "loader/pins.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/scope_exit.h"
#include "base/strings.h"

namespace tortie {
namespace {

constexpr std::chrono::seconds kLockDeadline(10);

// In bpffs a dot in a name is refused: no ".new" and the like.
constexpr const char *kLoading = "loading";
constexpr const char *kParts[] = {"maps", "programs", "links"};

Result<std::vector<std::string>> names_in(const std::string &path)
{
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir && errno == ENOENT)
        return names;
    if (!dir)
        return fail_errno(errno, "list " + path);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of our own
    while (const dirent *entry = ::readdir(dir.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            names.emplace_back(name);
    }
    return names;
}

Result<> make_directory(const std::string &path)
{
    if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST)
        return fail_errno(errno, "make " + path);
    return {};
}

// One level of folders with pins in them: there is no other shape.
Result<> remove_part(const std::string &path)
{
    TORTIE_TRY(const auto names, names_in(path));
    for (const std::string &name : names) {
        std::string pin = path;
        pin.append("/").append(name);
        if (::unlink(pin.c_str()) != 0 && errno != ENOENT)
            return fail_errno(errno, "remove " + pin);
    }
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove " + path);
    return {};
}

}  // namespace

std::string PinFolder::map(std::string_view name) const
{
    return path_ + "/maps/" + std::string(name);
}

std::string PinFolder::program(std::string_view name) const
{
    return path_ + "/programs/" + std::string(name);
}

std::string PinFolder::link(std::string_view name) const
{
    return links() + '/' + std::string(name);
}

bool PinFolder::exists() const
{
    return ::access(path_.c_str(), F_OK) == 0;
}

Result<std::vector<std::string>> PinFolder::link_names() const
{
    return names_in(links());
}

Result<> PinFolder::remove() const
{
    // Links first: a program must not run on with its maps' names gone.
    for (const char *part : {"links", "programs", "maps"})
        TORTIE_DO(remove_part(path_ + '/' + part));
    if (::rmdir(path_.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove " + path_);
    return {};
}

Result<> PinRoot::check() const
{
    struct statfs found {};
    if (::statfs(places_.bpffs.c_str(), &found) != 0)
        return fail(ErrorKind::kUnsupported,
                    "no bpffs: " + Error::from_errno(errno, places_.bpffs).what());
    if (found.f_type != BPF_FS_MAGIC)
        return fail(ErrorKind::kUnsupported, "no bpffs is mounted on " + places_.bpffs);
    return {};
}

PinFolder PinRoot::folder(unsigned abi) const
{
    return PinFolder(home() + '/' + std::to_string(abi));
}

Result<std::vector<unsigned>> PinRoot::abis() const
{
    TORTIE_TRY(const auto names, names_in(home()));
    std::vector<unsigned> abis;
    for (const std::string &name : names)
        if (const auto abi = parse_number<unsigned>(name))
            abis.push_back(*abi);
    std::sort(abis.begin(), abis.end());
    return abis;
}

Result<bool> PinRoot::make(unsigned abi, const Fill &fill) const
{
    if (folder(abi).exists())
        return false;
    TORTIE_DO(check());
    bool made = false;
    TORTIE_DO(exclusively([&]() -> Result<> {
        if (folder(abi).exists())
            return {};
        made = true;
        return fill_fresh(abi, fill);
    }));
    return made;
}

Result<> PinRoot::fill_fresh(unsigned abi, const Fill &fill) const
{
    const PinFolder fresh(home() + '/' + kLoading);
    TORTIE_DO(make_directory(home()));
    TORTIE_DO(fresh.remove());
    TORTIE_DO(make_directory(fresh.path()));
    ScopeExit undo([&] { (void)fresh.remove(); });
    for (const char *part : kParts)
        TORTIE_DO(make_directory(fresh.path() + '/' + part));
    TORTIE_DO(fill(fresh));
    if (std::rename(fresh.path().c_str(), folder(abi).path().c_str()) != 0)
        return fail_errno(errno, "rename " + fresh.path() + " to " + folder(abi).path());
    undo.dismiss();
    return {};
}

Result<> PinRoot::exclusively(const std::function<Result<>()> &work) const
{
    const std::string folder_of_lock = places_.lock.substr(0, places_.lock.rfind('/'));
    TORTIE_DO(make_directories(folder_of_lock, S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH));
    TORTIE_TRY(const FileLock lock,
               FileLock::acquire(places_.lock, S_IRUSR | S_IWUSR, kLockDeadline));
    return work();
}

}  // namespace tortie
