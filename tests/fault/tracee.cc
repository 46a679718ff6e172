// SPDX-License-Identifier: Apache-2.0
#include "fault/tracee.h"

#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <algorithm>
#include <cstring>

namespace tortie::test {
namespace {

constexpr std::uint16_t kBatchBegin = 16;  // NFNL_MSG_BATCH_BEGIN of linux/netfilter/nfnetlink.h

template <class T>
std::optional<T> read_object(pid_t pid, std::uint64_t address)
{
    const std::vector<std::uint8_t> bytes = read_memory(pid, address, sizeof(T));
    if (bytes.size() != sizeof(T))
        return std::nullopt;
    T object{};
    std::memcpy(&object, bytes.data(), sizeof(T));
    return object;
}

std::uint64_t address_of(const void *pointer)
{
    return reinterpret_cast<std::uint64_t>(pointer);
}

iovec remote_range(std::uint64_t address, std::size_t size)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in another process, never followed here
    return {reinterpret_cast<void *>(address), size};
}

std::vector<iovec> read_vector(pid_t pid, const msghdr &message)
{
    std::vector<iovec> vector(std::min<std::size_t>(message.msg_iovlen, 64));
    const std::vector<std::uint8_t> bytes =
        read_memory(pid, address_of(message.msg_iov), vector.size() * sizeof(iovec));
    if (bytes.size() != vector.size() * sizeof(iovec))
        return {};
    std::memcpy(vector.data(), bytes.data(), bytes.size());
    return vector;
}

std::vector<std::uint8_t> bytes_to_send(pid_t pid, const SystemCall &call)
{
    if (call.number == SYS_sendto)
        return read_memory(pid, call.args[1], call.args[2]);
    std::vector<std::uint8_t> bytes;
    const auto message = read_object<msghdr>(pid, call.args[1]);
    for (const iovec &part : message ? read_vector(pid, *message) : std::vector<iovec>()) {
        const auto more = read_memory(pid, address_of(part.iov_base), part.iov_len);
        bytes.insert(bytes.end(), more.begin(), more.end());
    }
    return bytes;
}

struct Refusal {
    nlmsghdr header{};
    nlmsgerr error{};
};

Refusal refusal_of(const RefusedRequest &refused)
{
    Refusal reply;
    reply.header.nlmsg_len = sizeof(reply);
    reply.header.nlmsg_type = NLMSG_ERROR;
    reply.header.nlmsg_flags = NLM_F_CAPPED;
    reply.header.nlmsg_seq = refused.header.nlmsg_seq;
    reply.header.nlmsg_pid = refused.header.nlmsg_pid;
    reply.error.error = -refused.error;
    reply.error.msg = refused.header;
    return reply;
}

}  // namespace

bool knows_registers()
{
#if defined(__x86_64__)
    return true;
#else
    return false;
#endif
}

bool skip_call(pid_t pid)
{
#if defined(__x86_64__)
    return ::ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, orig_rax), -1L) == 0;
#else
    return pid < 0;
#endif
}

bool set_result(pid_t pid, std::int64_t value)
{
#if defined(__x86_64__)
    return ::ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, rax), value) == 0;
#else
    return pid < 0 && value < 0;
#endif
}

std::vector<std::uint8_t> read_memory(pid_t pid, std::uint64_t address, std::size_t size)
{
    std::vector<std::uint8_t> bytes(std::min<std::size_t>(size, 16 << 20));
    const iovec local{bytes.data(), bytes.size()};
    const iovec remote = remote_range(address, bytes.size());
    const ssize_t got = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
}

bool write_memory(pid_t pid, std::uint64_t address, const void *bytes, std::size_t size)
{
    const iovec local{const_cast<void *>(bytes), size};  // process_vm_writev() reads it
    const iovec remote = remote_range(address, size);
    return ::process_vm_writev(pid, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

std::uint32_t netlink_port(pid_t pid, const SystemCall &call)
{
    const auto name = read_object<sockaddr_nl>(pid, call.args[1]);
    return name ? name->nl_pid : 0;
}

std::optional<RefusedRequest> request_of(pid_t pid, const SystemCall &call)
{
    if (call.number != SYS_sendto && call.number != SYS_sendmsg)
        return std::nullopt;
    const std::vector<std::uint8_t> bytes = bytes_to_send(pid, call);
    RefusedRequest request{.bytes = bytes.size(), .header = {}, .error = 0};
    std::size_t offset = 0;
    while (offset + sizeof(nlmsghdr) <= bytes.size()) {
        std::memcpy(&request.header, bytes.data() + offset, sizeof(nlmsghdr));
        if (request.header.nlmsg_type != kBatchBegin)
            return request;
        offset += std::max<std::size_t>(NLMSG_ALIGN(request.header.nlmsg_len), sizeof(nlmsghdr));
    }
    return std::nullopt;
}

std::optional<std::int64_t> deliver_refusal(pid_t pid, const SystemCall &call,
                                            const RefusedRequest &refused, bool &peeked)
{
    const Refusal reply = refusal_of(refused);
    const sockaddr_nl kernel{.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
    if (call.number == SYS_recvfrom) {
        const std::size_t fits = std::min<std::size_t>(call.args[2], sizeof(reply));
        const socklen_t length = sizeof(kernel);
        peeked = (call.args[3] & MSG_PEEK) != 0;
        write_memory(pid, call.args[1], &reply, fits);
        if (call.args[4] != 0) {
            write_memory(pid, call.args[4], &kernel, sizeof(kernel));
            write_memory(pid, call.args[5], &length, sizeof(length));
        }
        return static_cast<std::int64_t>(sizeof(reply));
    }
    if (call.number != SYS_recvmsg)
        return std::nullopt;

    auto message = read_object<msghdr>(pid, call.args[1]);
    if (!message)
        return std::nullopt;
    peeked = (call.args[2] & MSG_PEEK) != 0;
    const std::vector<iovec> vector = read_vector(pid, *message);
    if (!vector.empty())
        write_memory(pid, address_of(vector[0].iov_base), &reply,
                     std::min(vector[0].iov_len, sizeof(reply)));
    if (message->msg_name != nullptr)
        write_memory(pid, address_of(message->msg_name), &kernel, sizeof(kernel));
    message->msg_namelen = sizeof(kernel);
    message->msg_controllen = 0;
    message->msg_flags = 0;
    write_memory(pid, call.args[1], &*message, sizeof(*message));
    return static_cast<std::int64_t>(sizeof(reply));
}

}  // namespace tortie::test
