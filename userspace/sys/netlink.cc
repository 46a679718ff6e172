// SPDX-License-Identifier: Apache-2.0
#include "sys/netlink.h"

#include <endian.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"

namespace tortie {
namespace {

// A dump never hands out more than this at once (netlink_dump() in net/netlink/af_netlink.c).
constexpr std::size_t kReceiveBytes = 32 << 10;
constexpr int kSocketBufferBytes = 128 << 10;
constexpr std::size_t kSendOverheadBytes = 1024;
constexpr int kDumpAttempts = 10;

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
void leave_to_the_kernel(UniqueFd socket)
{
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()) < 0)
        return;
    // Closing the sender starts the collector, and that must not be done before we have let go of
    // the socket, or ours is the last reference after all. Destructors run backwards.
    const UniqueFd sender(pair[0]);
    const UniqueFd receiver(pair[1]);
    const UniqueFd left = std::move(socket);
    const std::array<int, 2> passed{left.get(), receiver.get()};
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

// The message at the front of what was received, which then begins behind it.
std::optional<NetlinkReply> take_reply(std::span<const std::uint8_t> &rest)
{
    nlmsghdr header{};
    if (rest.size() < sizeof(header))
        return std::nullopt;
    std::memcpy(&header, rest.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > rest.size())
        return std::nullopt;
    const NetlinkReply reply{
        .type = header.nlmsg_type,
        .flags = header.nlmsg_flags,
        .sequence = header.nlmsg_seq,
        .payload = rest.subspan(sizeof(header), header.nlmsg_len - sizeof(header))};
    rest = rest.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), rest.size()));
    return reply;
}

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags, std::size_t max_bytes)
    : max_bytes_(max_bytes)
{
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    bytes_.reserve(std::min<std::size_t>(max_bytes, 512));
    append({reinterpret_cast<const std::uint8_t *>(&header), sizeof(header)});
}

void NetlinkMessage::append(std::span<const std::uint8_t> bytes)
{
    complete_ = complete_ && bytes_.size() + NLMSG_ALIGN(bytes.size()) <= max_bytes_;
    if (!complete_)
        return;
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

void NetlinkMessage::put_header_bytes(std::span<const std::uint8_t> bytes)
{
    append(bytes);
}

void NetlinkMessage::put(std::uint16_t attr, std::span<const std::uint8_t> bytes)
{
    nlattr header{};
    if (bytes.size() > UINT16_MAX - sizeof(header)) {
        complete_ = false;
        return;
    }
    header.nla_type = attr;
    header.nla_len = static_cast<std::uint16_t>(sizeof(header) + bytes.size());
    append({reinterpret_cast<const std::uint8_t *>(&header), sizeof(header)});
    append(bytes);
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

void NetlinkMessage::end_nest(std::size_t start)
{
    const std::size_t length = complete_ ? bytes_.size() - start : 0;
    complete_ = complete_ && length <= UINT16_MAX;
    if (!complete_)
        return;
    const auto nla_len = static_cast<std::uint16_t>(length);
    std::memcpy(&bytes_[start + offsetof(nlattr, nla_len)], &nla_len, sizeof(nla_len));
}

std::span<const std::uint8_t> NetlinkMessage::bytes(std::uint32_t sequence,
                                                    std::uint16_t more_flags)
{
    nlmsghdr header{};
    if (bytes_.size() < sizeof(header))
        return {};
    std::memcpy(&header, bytes_.data(), sizeof(header));
    header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
    header.nlmsg_seq = sequence;
    header.nlmsg_flags = static_cast<std::uint16_t>(header.nlmsg_flags | more_flags);
    std::memcpy(bytes_.data(), &header, sizeof(header));
    return bytes_;
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

struct NetlinkSocket::Endpoint {
    Endpoint(UniqueFd fd, bool leave) : socket(std::move(fd)), without_waiting(leave) {}
    Endpoint(const Endpoint &) = delete;
    Endpoint &operator=(const Endpoint &) = delete;
    Endpoint(Endpoint &&) = delete;
    Endpoint &operator=(Endpoint &&) = delete;
    ~Endpoint()
    {
        if (without_waiting)
            leave_to_the_kernel(std::move(socket));
    }

    UniqueFd socket;
    bool without_waiting;
    std::size_t send_buffer_bytes = kSocketBufferBytes;
};

NetlinkSocket::NetlinkSocket(std::unique_ptr<Endpoint> endpoint) : endpoint_(std::move(endpoint)) {}
NetlinkSocket::NetlinkSocket(NetlinkSocket &&) noexcept = default;
NetlinkSocket &NetlinkSocket::operator=(NetlinkSocket &&) noexcept = default;
NetlinkSocket::~NetlinkSocket() = default;

Result<NetlinkSocket> NetlinkSocket::open(int protocol)
{
    constexpr std::string_view kDoing = "open a netlink socket";
    UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (!fd.valid())
        return fail_errno(errno, kDoing);
    for (const int direction : {SO_SNDBUF, SO_RCVBUF}) {
        if (::setsockopt(fd.get(), SOL_SOCKET, direction, &kSocketBufferBytes,
                         sizeof(kSocketBufferBytes)) < 0)
            return fail_errno(errno, kDoing);
    }
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) < 0)
        return fail_errno(errno, kDoing);
    // Without echoed requests and with the kernel's own words; kernels before 4.12 lack both, and
    // then an error has no text.
    const int on = 1;
    ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    return NetlinkSocket(std::make_unique<Endpoint>(std::move(fd), protocol == NETLINK_NETFILTER));
}

Result<> NetlinkSocket::send(std::span<const std::uint8_t> bytes, std::string_view doing)
{
    const int fd = endpoint_->socket.get();
    // One system call is one buffer in the kernel, and it must fit into the socket's.
    if (bytes.size() + kSendOverheadBytes > endpoint_->send_buffer_bytes) {
        const int wanted = static_cast<int>(bytes.size() + kSendOverheadBytes);
        if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) < 0)
            return fail_errno(errno, std::string(doing) + ": enlarge the netlink buffer");
        endpoint_->send_buffer_bytes = bytes.size() + kSendOverheadBytes;
    }
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    ssize_t sent = -1;
    do {
        sent = ::sendto(fd, bytes.data(), bytes.size(), 0,
                        reinterpret_cast<const sockaddr *>(&kernel), sizeof(kernel));
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return fail_errno(errno, doing);
    return {};
}

Result<NetlinkSocket::Received> NetlinkSocket::receive(std::string_view doing,
                                                       const OnReply &on_reply, const OnAck &on_ack)
{
    // Not zeroed: most answers are small, and pages that nobody touches cost nothing.
    const auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveBytes);
    sockaddr_nl from{};
    socklen_t from_size = sizeof(from);
    ssize_t got = -1;
    do {
        got = ::recvfrom(endpoint_->socket.get(), buffer.get(), kReceiveBytes, MSG_TRUNC,
                         reinterpret_cast<sockaddr *>(&from), &from_size);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno != EAGAIN)
        return fail_errno(errno, doing);
    if (got <= 0)
        return Received::kNothing;
    if (static_cast<std::size_t>(got) > kReceiveBytes)
        return fail_errno(EMSGSIZE, doing);
    if (from.nl_pid != 0)
        return Received::kSome;  // not the kernel: any process may send to us

    std::span<const std::uint8_t> rest(buffer.get(), static_cast<std::size_t>(got));
    while (const auto reply = take_reply(rest)) {
        if (reply->type == NLMSG_ERROR)
            on_ack(read_ack(*reply));
        else if (reply->type == NLMSG_DONE)
            on_ack(read_done(*reply));
        else if (reply->type >= NLMSG_MIN_TYPE)
            on_reply(*reply);
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
