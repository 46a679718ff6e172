// SPDX-License-Identifier: Apache-2.0
//
// Netlink: building a message, sending it, reading what comes back; below everything in sys that
// talks to the kernel.
// Source: netlink(7), include/uapi/linux/netlink.h.
//
// The kernel answers while sendmsg() runs, so a reply that is not there at once never comes: the
// socket does not block, and nothing here can hang.
//
//   TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
//   NetlinkMessage message(RTM_SETLINK, 0);
//   message.put_header(ifinfomsg{.ifi_index = index});
//   message.put_u32(IFLA_MTU, 1400);
//   TORTIE_DO(socket.request(message, "set mtu of eth0"));
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie {

// A request being built. What does not fit is left out and remembered: sending such a message is
// an error (kInvalidInput), so the put functions need no result.
class NetlinkMessage {
public:
    // `flags` beside NLM_F_REQUEST, which is always set. `max_bytes` with header and padding.
    NetlinkMessage(std::uint16_t type, std::uint16_t flags, std::size_t max_bytes = 4096);

    // The fixed part that follows nlmsghdr (ifinfomsg, rtmsg, nfgenmsg ...), before any attribute.
    template <class Header>
    void put_header(const Header &header)
    {
        put_header_bytes({reinterpret_cast<const std::uint8_t *>(&header), sizeof(header)});
    }

    void put(std::uint16_t attr, std::span<const std::uint8_t> bytes);
    void put_flag(std::uint16_t attr) { put(attr, {}); }
    void put_u8(std::uint16_t attr, std::uint8_t value);
    void put_u16(std::uint16_t attr, std::uint16_t value);  // host order
    void put_u32(std::uint16_t attr, std::uint32_t value);  // host order
    void put_u16_be(std::uint16_t attr, std::uint16_t value);
    void put_u32_be(std::uint16_t attr, std::uint32_t value);
    void put_u64_be(std::uint16_t attr, std::uint64_t value);
    void put_string(std::uint16_t attr, std::string_view text);  // with its terminating zero

    // Everything that `fill` puts becomes the content of one nested attribute.
    template <class Fill>
    void nest(std::uint16_t attr, Fill &&fill)
    {
        const std::size_t start = bytes_.size();
        put_flag(attr | NLA_F_NESTED);
        fill();
        end_nest(start);
    }

    std::size_t size() const { return bytes_.size(); }  // so far, header included
    bool complete() const { return complete_; }

    // The message as it goes out. The sequence number tells replies apart.
    std::span<const std::uint8_t> bytes(std::uint32_t sequence, std::uint16_t more_flags = 0);

private:
    void put_header_bytes(std::span<const std::uint8_t> bytes);
    void end_nest(std::size_t start);

    // At the end, with padding behind them. Left out when they do not fit.
    void append(std::span<const std::uint8_t> bytes);

    std::vector<std::uint8_t> bytes_;  // always padded
    std::size_t max_bytes_;
    bool complete_ = true;
};

// One attribute of a reply, and the sequence of attributes in a reply or in a nested attribute.
// Views: they live as long as the reply does. The kernel's lengths are checked, a number that is
// too short for its type reads as 0.
struct NetlinkAttr;

class NetlinkAttrs {
public:
    NetlinkAttrs() = default;
    explicit NetlinkAttrs(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    // The first attribute of the type.
    std::optional<NetlinkAttr> find(std::uint16_t type) const;

    // Takes the next attribute off the front; nullopt at the end.
    std::optional<NetlinkAttr> next();

private:
    std::span<const std::uint8_t> bytes_;
};

struct NetlinkAttr {
    std::uint16_t type = 0;  // without the nested and byte-order flags
    std::span<const std::uint8_t> payload;

    std::uint8_t u8() const { return number<std::uint8_t>(); }
    std::uint16_t u16() const { return number<std::uint16_t>(); }
    std::uint32_t u32() const { return number<std::uint32_t>(); }
    std::uint32_t u32_be() const;
    std::uint64_t u64_be() const;
    std::string_view string() const;  // without the terminating zero
    NetlinkAttrs nested() const { return NetlinkAttrs(payload); }

private:
    template <class T>
    T number() const
    {
        T value = 0;
        if (payload.size() >= sizeof(value))
            std::memcpy(&value, payload.data(), sizeof(value));
        return value;
    }
};

// One message that came back; valid only while the callback runs.
struct NetlinkReply {
    std::uint16_t type = 0;
    std::uint16_t flags = 0;
    std::uint32_t sequence = 0;
    std::span<const std::uint8_t> payload;

    // The fixed part; zeros when the message is too short for it.
    template <class Header>
    Header header() const
    {
        Header header{};
        if (payload.size() >= sizeof(header))
            std::memcpy(&header, payload.data(), sizeof(header));
        return header;
    }

    // The attributes behind a fixed part of type Header.
    template <class Header>
    NetlinkAttrs attrs() const
    {
        constexpr std::size_t kOffset = NLMSG_ALIGN(sizeof(Header));
        return payload.size() > kOffset ? NetlinkAttrs(payload.subspan(kOffset)) : NetlinkAttrs();
    }
};

// The end of one request: 0 or the kernel's errno (positive), and its own words when it has some.
struct NetlinkAck {
    std::uint32_t sequence = 0;
    int error = 0;
    std::string_view text;
};

class [[nodiscard]] NetlinkSocket {
public:
    using OnReply = std::function<void(const NetlinkReply &)>;
    using OnAck = std::function<void(const NetlinkAck &)>;

    // NETLINK_ROUTE, NETLINK_NETFILTER ... in the network namespace the thread is in now; the
    // socket stays there. Errors: kUnsupported when the kernel has no such protocol, kSystem.
    static Result<NetlinkSocket> open(int protocol);

    NetlinkSocket(NetlinkSocket &&) noexcept;
    NetlinkSocket &operator=(NetlinkSocket &&) noexcept;
    NetlinkSocket(const NetlinkSocket &) = delete;
    NetlinkSocket &operator=(const NetlinkSocket &) = delete;
    ~NetlinkSocket();

    // Sends with NLM_F_ACK and takes the answer. `doing` starts the error's text.
    // Errors: the kernel's errno as Error::from_errno() sorts it, with the kernel's own words.
    Result<> request(NetlinkMessage &message, std::string_view doing);

    // The same for a question: `each` sees every reply before the end.
    Result<> query(NetlinkMessage &message, std::string_view doing, const OnReply &each);

    // NLM_F_DUMP. The kernel says when the list changed while it was read, and the dump is then
    // taken again: `restart` runs before each attempt and forgets what came before.
    // Errors: kTryAgain when it changed every time; else as request().
    Result<> dump(NetlinkMessage &message, std::string_view doing,
                  const std::function<void()> &restart, const OnReply &each);

    // Many messages in one system call, each with a sequence number from next_sequence(); then
    // everything that came back for them. Acknowledgements are not judged here.
    // Errors: kSystem when the bytes could not be sent or the answers overflowed.
    Result<> exchange(std::span<const std::uint8_t> bytes, std::string_view doing,
                      const OnReply &on_reply, const OnAck &on_ack);

    std::uint32_t next_sequence() { return ++sequence_; }

private:
    struct Endpoint;
    enum class Received { kSome, kNothing };

    explicit NetlinkSocket(std::unique_ptr<Endpoint> endpoint);

    Result<> send(std::span<const std::uint8_t> bytes, std::string_view doing);
    Result<Received> receive(std::string_view doing, const OnReply &on_reply, const OnAck &on_ack);
    Result<> transact(NetlinkMessage &message, std::uint16_t flags, std::string_view doing,
                      const OnReply &each);

    std::unique_ptr<Endpoint> endpoint_;
    std::uint32_t sequence_ = 0;
};

}  // namespace tortie
