// SPDX-License-Identifier: Apache-2.0
#include "sys/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/strings.h"

namespace tortie {
namespace {

// openat2() wants nothing but permission bits in a mode, and none without O_CREAT.
Result<UniqueFd> by_openat2(int dir_fd, const std::string &name, int flags, std::string_view doing)
{
    open_how how{};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, dir_fd, name.c_str(), &how, sizeof(how))));
    if (!fd.valid())
        return fail(go_error(errno, doing));
    return fd;
}

Result<dev_t> device_of(int fd, std::string_view doing)
{
    struct stat st {};
    if (::fstat(fd, &st) < 0)
        return fail(go_error(errno, doing));
    return st.st_dev;
}

bool leads_nowhere_else(std::string_view component)
{
    return !component.empty() && component != "." && component != "..";
}

}  // namespace

Result<UniqueFd> open_beneath(int dir_fd, const std::string &name, int flags,
                              std::string_view doing)
{
    // A name with a zero byte would be opened as its beginning.
    if (name.find('\0') != std::string::npos)
        return fail(go_error(EINVAL, doing));
    auto fd = by_openat2(dir_fd, name, flags, doing);
    // EPERM is what container runtimes' seccomp filters answer for a call they have never heard of.
    if (!fd && (fd.error().sys_errno() == ENOSYS || fd.error().sys_errno() == EPERM))
        return walk_beneath(dir_fd, name, flags, doing);
    return fd;
}

Result<UniqueFd> walk_beneath(int dir_fd, const std::string &name, int flags,
                              std::string_view doing)
{
    const auto components = split(name, '/');
    if (name.find('\0') != std::string::npos)
        return fail(go_error(EINVAL, doing));
    TORTIE_TRY(const dev_t home, device_of(dir_fd, doing));
    UniqueFd at;
    for (const std::string_view &component : components) {
        if (!leads_nowhere_else(component))
            return fail(go_error(EXDEV, doing));
        const bool last = &component == &components.back();
        const int how = last ? flags : O_PATH | O_DIRECTORY;
        UniqueFd next(::openat(at.valid() ? at.get() : dir_fd, std::string(component).c_str(),
                               how | O_NOFOLLOW | O_CLOEXEC));
        if (!next.valid())
            return fail(go_error(errno, doing));
        TORTIE_TRY(const dev_t device, device_of(next.get(), doing));
        if (device != home)
            return fail(go_error(EXDEV, doing));
        at = std::move(next);
    }
    return at;
}

}  // namespace tortie
