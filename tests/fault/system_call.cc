// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>

#include <algorithm>

#include "fault/tracer.h"

namespace tortie::test {
namespace {

struct CallName {
    std::uint64_t number;
    const char *name;
};

// Those that a message of ours is likely to be about.
constexpr CallName kNames[] = {
    {SYS_openat, "openat"},
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_pread64, "pread64"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_close, "close"},
    {SYS_ftruncate, "ftruncate"},
    {SYS_renameat, "renameat"},
    {SYS_renameat2, "renameat2"},
    {SYS_linkat, "linkat"},
    {SYS_unlinkat, "unlinkat"},
    {SYS_mkdirat, "mkdirat"},
    {SYS_fchmod, "fchmod"},
    {SYS_fchmodat, "fchmodat"},
    {SYS_utimensat, "utimensat"},
    {SYS_flock, "flock"},
    {SYS_socket, "socket"},
    {SYS_bind, "bind"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_setns, "setns"},
    {SYS_clone, "clone"},
    {SYS_execve, "execve"},
    {SYS_pipe2, "pipe2"},
    {SYS_wait4, "wait4"},
    {SYS_openat2, "openat2"},
    {SYS_getdents64, "getdents64"},
#if defined(__x86_64__)
    {SYS_open, "open"},
    {SYS_rename, "rename"},
    {SYS_link, "link"},
    {SYS_unlink, "unlink"},
    {SYS_mkdir, "mkdir"},
    {SYS_chmod, "chmod"},
    {SYS_fork, "fork"},
    {SYS_vfork, "vfork"},
    {SYS_dup2, "dup2"},
    {SYS_poll, "poll"},
#endif
};

}  // namespace

std::string SystemCall::name() const
{
    const auto *found = std::find_if(std::begin(kNames), std::end(kNames),
                                     [&](const CallName &entry) { return entry.number == number; });
    return found != std::end(kNames) ? found->name : "system call " + std::to_string(number);
}

}  // namespace tortie::test
