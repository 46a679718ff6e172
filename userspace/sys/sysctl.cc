// SPDX-License-Identifier: Apache-2.0
#include "sys/sysctl.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/unique_fd.h"
#include "sys/beneath.h"

namespace tortie {
namespace {

constexpr const char *kRoot = "/proc/sys/net";

// ip_local_reserved_ports with every other port in it is 190 KB; nothing is longer.
constexpr std::size_t kMaxValueBytes = std::size_t{256} << 10;

Result<UniqueFd> open_sysctl(const std::string &name, const std::string &path, int flags)
{
    const std::string doing = "open " + path;
    const UniqueFd root(::open(kRoot, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid())
        return fail(go_error(errno, std::string("open ") + kRoot));
    TORTIE_TRY(UniqueFd fd, open_beneath(root.get(), name, flags, doing));
    struct statfs fs {};
    if (::fstatfs(fd.get(), &fs) < 0)
        return fail(go_error(errno, doing));
    if (fs.f_type != PROC_SUPER_MAGIC)
        return fail(ErrorKind::kInvalidInput, doing + ": not on procfs");
    return fd;
}

}  // namespace

Result<std::string> read_sysctl(const std::string &name)
{
    const std::string path = std::string(kRoot) + '/' + name;
    TORTIE_TRY(const UniqueFd fd, open_sysctl(name, path, O_RDONLY));
    auto value = read_to_end(fd.get(), kMaxValueBytes, path);
    if (!value && value.error().sys_errno() != 0)
        return fail(go_error(value.error().sys_errno(), "read " + path));
    if (value && value->ends_with('\n'))
        value->pop_back();
    return value;
}

Result<> write_sysctl(const std::string &name, std::string_view value)
{
    const std::string path = std::string(kRoot) + '/' + name;
    TORTIE_TRY(const UniqueFd fd, open_sysctl(name, path, O_WRONLY));
    do {
        const ssize_t put = ::write(fd.get(), value.data(), value.size());
        if (put < 0)
            return fail(go_error(errno, "write " + path));
        if (put == 0 && !value.empty())
            return fail(ErrorKind::kInvalidInput, "write " + path + ": unexpected EOF");
        value.remove_prefix(static_cast<std::size_t>(put));
    } while (!value.empty());
    return {};
}

}  // namespace tortie
