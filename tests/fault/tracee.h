// SPDX-License-Identifier: Apache-2.0
//
// What one stopped process says about itself, and what can be changed in it. The only file that
// knows registers and the layout of another process's memory.
#pragma once

#include <linux/netlink.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "fault/tracer.h"

namespace tortie::test {

// True when registers of this machine are known.
bool knows_registers();

// At the entry of a call: the kernel will not make it. At its exit: `value` is what it gave.
bool skip_call(pid_t pid);
bool set_result(pid_t pid, std::int64_t value);

std::vector<std::uint8_t> read_memory(pid_t pid, std::uint64_t address, std::size_t size);
bool write_memory(pid_t pid, std::uint64_t address, const void *bytes, std::size_t size);

// What a netlink request that was not delivered needs in order to be answered.
struct RefusedRequest {
    std::size_t bytes = 0;  // of everything that was to be sent
    nlmsghdr header{};      // of the first message that can be refused, with the socket's port
    int error = 0;
};

// After getsockname() of a netlink socket: the port that it has.
std::uint32_t netlink_port(pid_t pid, const SystemCall &call);

// The message that `call` (sendto, sendmsg) is about to send; nullopt for other calls.
std::optional<RefusedRequest> request_of(pid_t pid, const SystemCall &call);

// Puts the kernel's refusal where `call` (recvfrom, recvmsg) wants its data. Gives what the call
// has to return, nullopt when it is no such call. A call that only peeks sets `peeked`.
std::optional<std::int64_t> deliver_refusal(pid_t pid, const SystemCall &call,
                                            const RefusedRequest &refused, bool &peeked);

}  // namespace tortie::test
