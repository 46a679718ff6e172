// SPDX-License-Identifier: Apache-2.0
#include "fault/call_faults.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <span>

namespace tortie::test {
namespace {

constexpr std::uint64_t kFileCalls[] = {
    SYS_openat,   SYS_openat2, SYS_write,    SYS_writev,    SYS_pwrite64,  SYS_ftruncate,
    SYS_renameat, SYS_linkat,  SYS_unlinkat, SYS_renameat2, SYS_mkdirat,   SYS_fchmod,
    SYS_fchmodat, SYS_flock,   SYS_read,     SYS_pread64,   SYS_utimensat, SYS_getdents64,
    SYS_setns,
#if defined(__x86_64__)
    SYS_open,     SYS_rename,  SYS_link,     SYS_unlink,    SYS_mkdir,     SYS_chmod,
#endif
};

constexpr std::uint64_t kProcessCalls[] = {
    SYS_clone, SYS_clone3, SYS_execve, SYS_pipe2, SYS_dup3,
#if defined(__x86_64__)
    SYS_fork,  SYS_vfork,  SYS_pipe,   SYS_dup2,
#endif
};

constexpr std::uint64_t kMessageCalls[] = {SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg};

bool is_in(std::span<const std::uint64_t> numbers, std::uint64_t number)
{
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

std::vector<Fault> failing_with(std::initializer_list<int> errors)
{
    std::vector<Fault> faults;
    for (const int error : errors)
        faults.push_back({.kind = Disturbance::Kind::kFail, .error = error});
    return faults;
}

}  // namespace

bool writes_answer(const SystemCall &call)
{
    return call.number == SYS_write && call.args[0] == 1;
}

std::vector<Fault> faults_of(const SystemCall &call)
{
    if (is_in(kMessageCalls, call.number) && call.on_netlink) {
        std::vector<Fault> faults = failing_with({ENOBUFS, EAGAIN, EPERM, EIO});
        if (call.number == SYS_sendto || call.number == SYS_sendmsg) {
            for (const int error : {ENOSPC, EIO, EAGAIN, EPERM})
                faults.push_back({.kind = Disturbance::Kind::kRefuse, .error = error});
        }
        return faults;
    }
    if (call.number == SYS_socket)
        return failing_with({EPERM, EMFILE});
    if (call.number == SYS_bind)
        return failing_with({EPERM});
    if (is_in(kProcessCalls, call.number))
        return failing_with({EAGAIN, EPERM, ENOSPC});
    if (is_in(kFileCalls, call.number))
        return failing_with({ENOSPC, EIO, EAGAIN, EPERM});
    return {};
}

}  // namespace tortie::test
