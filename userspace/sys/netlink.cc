// SPDX-License-Identifier: Apache-2.0
#include "sys/netlink.h"

#include <endian.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "base/unique_fd.h"

namespace tortie {
namespace {

// A dump never hands out more than this at once (netlink_dump() in net/netlink/af_netlink.c).
constexpr std::size_t kReceiveBytes = 32 << 10;
constexpr int kSocketBufferBytes = 128 << 10;
constexpr std::size_t kSendOverheadBytes = 1024;
constexpr int kDumpAttempts = 10;

// libnl folds errno into its own numbers; this is the only place that looks at those.
int errno_of(int nle)
{
    switch (nle < 0 ? -nle : nle) {
    case NLE_INTR:
        return EINTR;
    case NLE_AGAIN:
        return EAGAIN;
    case NLE_NOMEM:
        return ENOBUFS;
    case NLE_INVAL:
        return EINVAL;
    case NLE_MSGSIZE:
    case NLE_MSG_TRUNC:
        return EMSGSIZE;
    case NLE_OPNOTSUPP:
        return EOPNOTSUPP;
    case NLE_AF_NOSUPPORT:
        return EAFNOSUPPORT;
    case NLE_OBJ_NOTFOUND:
        return ENOENT;
    case NLE_NOACCESS:
        return EACCES;
    case NLE_PERM:
        return EPERM;
    case NLE_NODEV:
        return ENODEV;
    case NLE_BUSY:
        return EBUSY;
    default:
        return EIO;
    }
}

auto fail_nle(int nle, std::string_view doing)
{
    // libnl has one number for "protocol not supported" and the family's "not supported".
    const int err = errno == EPROTONOSUPPORT ? EPROTONOSUPPORT : errno_of(nle);
    return fail_errno(err, doing);
}

Error ack_error(const NetlinkAck &ack, std::string_view doing)
{
    if (ack.text.empty())
        return Error::from_errno(ack.error, doing);
    return Error::from_errno(ack.error, std::string(doing) + " (" + std::string(ack.text) + ")");
}

// What follows the echoed header in an error: attributes, because NETLINK_CAP_ACK is on and the
// request's own payload is not echoed.
NetlinkAck read_ack(const NetlinkReply &reply)
{
    const auto error = reply.header<nlmsgerr>();
    NetlinkAck ack{.sequence = reply.sequence, .error = -error.error, .text = {}};
    if (reply.flags & NLM_F_ACK_TLVS) {
        if (const auto text = reply.attrs<nlmsgerr>().find(NLMSGERR_ATTR_MSG))
            ack.text = text->string();
    }
    return ack;
}

// Whoever closes a netfilter socket waits until everything that nf_tables has deleted so far is
// freed, a grace period of RCU or ten milliseconds (nft_rcv_nl_event() in nf_tables_api.c), and a
// plugin's exit would wait with it. So the last reference goes where the kernel's own worker drops
// it: into a message in a unix socket that holds nothing but itself, which is what the garbage
// collector of those is for. Kernels before 6.10 collect in our close() and wait as before; so
// does everybody for whom a step fails.
void leave_to_the_kernel(int fd)
{
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()) < 0)
        return;
    // Closing the sender starts the collector, so it goes last: destructors run backwards.
    const UniqueFd sender(pair[0]);
    const UniqueFd receiver(pair[1]);
    const std::array<int, 2> passed{fd, receiver.get()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(passed))> control{};
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(passed));
    std::memcpy(CMSG_DATA(header), passed.data(), sizeof(passed));
    ::sendmsg(sender.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// NLMSG_DONE carries the errno of a dump that failed midway.
NetlinkAck read_done(const NetlinkReply &reply)
{
    return {.sequence = reply.sequence, .error = -reply.header<int>(), .text = {}};
}

}  // namespace

void NetlinkMessage::Free::operator()(nl_msg *message) const
{
    ::nlmsg_free(message);
}

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags, std::size_t max_bytes)
    : message_(::nlmsg_alloc_size(max_bytes))
{
    complete_ = message_ && ::nlmsg_put(message_.get(), 0, 0, type, 0, NLM_F_REQUEST | flags);
}

NetlinkMessage::~NetlinkMessage() = default;

void NetlinkMessage::put_header_bytes(std::span<const std::uint8_t> bytes)
{
    if (!complete_ || ::nlmsg_append(message_.get(), const_cast<std::uint8_t *>(bytes.data()),
                                     bytes.size(), NLMSG_ALIGNTO) < 0)
        complete_ = false;
}

void NetlinkMessage::put(std::uint16_t attr, std::span<const std::uint8_t> bytes)
{
    if (!complete_ || bytes.size() + sizeof(nlattr) > UINT16_MAX ||
        ::nla_put(message_.get(), attr, static_cast<int>(bytes.size()), bytes.data()) < 0)
        complete_ = false;
}

void NetlinkMessage::put_u8(std::uint16_t attr, std::uint8_t value)
{
    put(attr, {&value, 1});
}

void NetlinkMessage::put_u16(std::uint16_t attr, std::uint16_t value)
{
    put(attr, {reinterpret_cast<const std::uint8_t *>(&value), sizeof(value)});
}

void NetlinkMessage::put_u32(std::uint16_t attr, std::uint32_t value)
{
    put(attr, {reinterpret_cast<const std::uint8_t *>(&value), sizeof(value)});
}

void NetlinkMessage::put_u16_be(std::uint16_t attr, std::uint16_t value)
{
    put_u16(attr, htobe16(value));
}

void NetlinkMessage::put_u32_be(std::uint16_t attr, std::uint32_t value)
{
    put_u32(attr, htobe32(value));
}

void NetlinkMessage::put_u64_be(std::uint16_t attr, std::uint64_t value)
{
    const std::uint64_t value_be = htobe64(value);
    put(attr, {reinterpret_cast<const std::uint8_t *>(&value_be), sizeof(value_be)});
}

void NetlinkMessage::put_string(std::uint16_t attr, std::string_view text)
{
    const std::string terminated(text);
    put(attr, {reinterpret_cast<const std::uint8_t *>(terminated.c_str()), terminated.size() + 1});
}

nlattr *NetlinkMessage::begin_nest(std::uint16_t attr)
{
    nlattr *start = complete_ ? ::nla_nest_start(message_.get(), attr | NLA_F_NESTED) : nullptr;
    complete_ = start != nullptr;
    return start;
}

void NetlinkMessage::end_nest(nlattr *start)
{
    // Empty nests are kept: an empty flag list or expression list means something to the kernel.
    if (complete_ && ::nla_nest_end_keep_empty(message_.get(), start) < 0)
        complete_ = false;
}

std::size_t NetlinkMessage::size() const
{
    return message_ ? ::nlmsg_hdr(message_.get())->nlmsg_len : 0;
}

std::span<const std::uint8_t> NetlinkMessage::bytes(std::uint32_t sequence,
                                                    std::uint16_t more_flags)
{
    nlmsghdr *header = ::nlmsg_hdr(message_.get());
    header->nlmsg_seq = sequence;
    header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | more_flags);
    return {reinterpret_cast<const std::uint8_t *>(header), NLMSG_ALIGN(header->nlmsg_len)};
}

std::optional<NetlinkAttr> NetlinkAttrs::next()
{
    nlattr header{};
    if (bytes_.size() < sizeof(header))
        return std::nullopt;
    std::memcpy(&header, bytes_.data(), sizeof(header));
    if (header.nla_len < sizeof(header) || header.nla_len > bytes_.size())
        return std::nullopt;
    NetlinkAttr attr;
    attr.type = header.nla_type & static_cast<std::uint16_t>(NLA_TYPE_MASK);
    attr.payload = bytes_.subspan(sizeof(header), header.nla_len - sizeof(header));
    bytes_ = bytes_.subspan(std::min<std::size_t>(NLA_ALIGN(header.nla_len), bytes_.size()));
    return attr;
}

std::optional<NetlinkAttr> NetlinkAttrs::find(std::uint16_t type) const
{
    NetlinkAttrs rest = *this;
    while (auto attr = rest.next()) {
        if (attr->type == type)
            return attr;
    }
    return std::nullopt;
}

std::uint32_t NetlinkAttr::u32_be() const
{
    return be32toh(u32());
}

std::uint64_t NetlinkAttr::u64_be() const
{
    return be64toh(number<std::uint64_t>());
}

std::string_view NetlinkAttr::string() const
{
    const std::string_view text(reinterpret_cast<const char *>(payload.data()), payload.size());
    return text.substr(0, text.find('\0'));
}

void NetlinkSocket::Free::operator()(nl_sock *socket) const
{
    if (without_waiting)
        leave_to_the_kernel(::nl_socket_get_fd(socket));
    ::nl_socket_free(socket);
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol)
{
    std::unique_ptr<nl_sock, Free> socket(::nl_socket_alloc(),
                                          Free{.without_waiting = protocol == NETLINK_NETFILTER});
    if (!socket)
        return fail_errno(ENOMEM, "open a netlink socket");
    errno = 0;
    if (const int nle = ::nl_connect(socket.get(), protocol); nle < 0)
        return fail_nle(nle, "open a netlink socket");
    ::nl_socket_set_nonblocking(socket.get());
    ::nl_socket_set_buffer_size(socket.get(), kSocketBufferBytes, kSocketBufferBytes);
    // A known size spares libnl a second look (MSG_PEEK) at every message.
    ::nl_socket_set_msg_buf_size(socket.get(), kReceiveBytes);
    const int on = 1;
    const int fd = ::nl_socket_get_fd(socket.get());
    // Without echoed requests and with the kernel's own words; kernels before 4.12 lack both, and
    // then an error has no text.
    ::setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    ::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    NetlinkSocket out(std::move(socket));
    out.send_buffer_bytes_ = kSocketBufferBytes;
    return out;
}

Result<> NetlinkSocket::send(std::span<const std::uint8_t> bytes, std::string_view doing)
{
    // One system call is one buffer in the kernel, and it must fit into the socket's.
    if (bytes.size() + kSendOverheadBytes > send_buffer_bytes_) {
        const int wanted = static_cast<int>(bytes.size() + kSendOverheadBytes);
        if (::setsockopt(::nl_socket_get_fd(socket_.get()), SOL_SOCKET, SO_SNDBUFFORCE, &wanted,
                         sizeof(wanted)) < 0)
            return fail_errno(errno, std::string(doing) + ": enlarge the netlink buffer");
        send_buffer_bytes_ = bytes.size() + kSendOverheadBytes;
    }
    errno = 0;
    const int nle =
        ::nl_sendto(socket_.get(), const_cast<std::uint8_t *>(bytes.data()), bytes.size());
    if (nle < 0)
        return fail_nle(nle, doing);
    return {};
}

Result<NetlinkSocket::Received> NetlinkSocket::receive(std::string_view doing,
                                                       const OnReply &on_reply, const OnAck &on_ack)
{
    sockaddr_nl from{};
    unsigned char *buffer = nullptr;
    errno = 0;
    const int received = ::nl_recv(socket_.get(), &from, &buffer, nullptr);
    const std::unique_ptr<unsigned char, decltype(&std::free)> owned(buffer, &std::free);
    // libnl reports an empty queue as 0 or as NLE_AGAIN, depending on its version.
    if (received == 0 || received == -NLE_AGAIN)
        return Received::kNothing;
    if (received < 0)
        return fail_nle(received, doing);
    if (from.nl_pid != 0)
        return Received::kSome;  // not the kernel: any process may send to us

    int left = received;
    for (auto *header = reinterpret_cast<nlmsghdr *>(buffer); ::nlmsg_ok(header, left);
         header = ::nlmsg_next(header, &left)) {
        const NetlinkReply reply{
            .type = header->nlmsg_type,
            .flags = header->nlmsg_flags,
            .sequence = header->nlmsg_seq,
            .payload = {static_cast<const std::uint8_t *>(::nlmsg_data(header)),
                        static_cast<std::size_t>(::nlmsg_datalen(header))}};
        if (reply.type == NLMSG_ERROR)
            on_ack(read_ack(reply));
        else if (reply.type == NLMSG_DONE)
            on_ack(read_done(reply));
        else if (reply.type >= NLMSG_MIN_TYPE)
            on_reply(reply);
    }
    return Received::kSome;
}

Result<> NetlinkSocket::transact(NetlinkMessage &message, std::uint16_t flags,
                                 std::string_view doing, const OnReply &each)
{
    if (!message.complete())
        return fail(ErrorKind::kInvalidInput, std::string(doing) + ": netlink message too long");
    const std::uint32_t sequence = next_sequence();
    TORTIE_DO(send(message.bytes(sequence, flags), doing));

    std::optional<Error> error;
    bool ended = false;
    const auto on_reply = [&](const NetlinkReply &reply) {
        if (reply.sequence == sequence)
            each(reply);
    };
    const auto on_ack = [&](const NetlinkAck &ack) {
        if (ack.sequence != sequence)
            return;
        ended = true;
        if (ack.error != 0)
            error = ack_error(ack, doing);
    };
    while (!ended) {
        TORTIE_TRY(const Received received, receive(doing, on_reply, on_ack));
        if (received == Received::kNothing)
            return fail(ErrorKind::kSystem, std::string(doing) + ": the kernel did not answer");
    }
    if (error)
        return fail(*std::move(error));
    return {};
}

Result<> NetlinkSocket::request(NetlinkMessage &message, std::string_view doing)
{
    return transact(message, NLM_F_ACK, doing, [](const NetlinkReply &) {});
}

Result<> NetlinkSocket::query(NetlinkMessage &message, std::string_view doing, const OnReply &each)
{
    return transact(message, NLM_F_ACK, doing, each);
}

Result<> NetlinkSocket::dump(NetlinkMessage &message, std::string_view doing,
                             const std::function<void()> &restart, const OnReply &each)
{
    for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
        bool interrupted = false;
        restart();
        const auto result = transact(message, NLM_F_DUMP, doing, [&](const NetlinkReply &reply) {
            interrupted = interrupted || (reply.flags & NLM_F_DUMP_INTR) != 0;
            each(reply);
        });
        if (!result && result.error().sys_errno() != EINTR)
            return fail(result.error());
        if (result && !interrupted)
            return {};
    }
    return fail(ErrorKind::kTryAgain, std::string(doing) + ": it kept changing");
}

Result<> NetlinkSocket::exchange(std::span<const std::uint8_t> bytes, std::string_view doing,
                                 const OnReply &on_reply, const OnAck &on_ack)
{
    TORTIE_DO(send(bytes, doing));
    while (true) {
        TORTIE_TRY(const Received received, receive(doing, on_reply, on_ack));
        if (received == Received::kNothing)
            return {};
    }
}

}  // namespace tortie
