// SPDX-License-Identifier: Apache-2.0
#include "sys/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"

namespace tortie {
namespace {

// Before anything is opened: opening an arbitrary file can block or have effects.
Result<> check_file_system(const std::string &path)
{
    const std::string quoted = go_quoted(path);
    struct statfs fs {};
    if (::statfs(path.c_str(), &fs) < 0)
        return fail(go_error(errno, "failed to Statfs " + quoted));
    if (fs.f_type == NSFS_MAGIC || fs.f_type == PROC_SUPER_MAGIC)
        return {};
    std::array<char, 16> hex{};
    const auto end =
        std::to_chars(hex.begin(), hex.end(), static_cast<std::uint64_t>(fs.f_type), 16).ptr;
    return fail(ErrorKind::kInvalidInput,
                "unknown FS magic on " + quoted + ": " + std::string(hex.begin(), end));
}

std::string switching_to(const std::string &path)  // twice, as the Go plugins say it
{
    return "error switching to ns " + path + ": Error switching to ns " + path;
}

// procfs holds much that is no namespace, and namespaces of other types; a path may also have
// changed since it was looked at.
Result<UniqueFd> open_netns(const std::string &path)
{
    TORTIE_DO(check_file_system(path));
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid())
        return fail(go_error(errno, "open " + path));
    if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
        return fail(ErrorKind::kInvalidInput, switching_to(path) + ": invalid argument");
    return fd;
}

}  // namespace

Result<NetnsScope> NetnsScope::enter(const std::string &path)
{
    TORTIE_TRY(const UniqueFd there, open_netns(path));
    UniqueFd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!home.valid())
        return fail(go_error(errno, "open /proc/thread-self/ns/net"));
    if (::setns(there.get(), CLONE_NEWNET) < 0)
        return fail(go_error(errno, switching_to(path)));
    return NetnsScope(std::move(home));
}

NetnsScope::~NetnsScope()
{
    if (!home_.valid() || ::setns(home_.get(), CLONE_NEWNET) == 0)
        return;
    log::error("cannot return to the network namespace this process started in",
               {{"error", go_errno_text(errno)}});
    std::abort();
}

}  // namespace tortie
