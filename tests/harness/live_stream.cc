// SPDX-License-Identifier: Apache-2.0
#include "harness/live_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/deadline.h"
#include "base/ip_addr.h"
#include "base/pause.h"

namespace tortie::test {
namespace {

constexpr std::size_t kBlockBytes = 65536;
constexpr std::size_t kChunkBytes = 8192;
constexpr std::chrono::seconds kPatience(3);
constexpr std::chrono::microseconds kBreath(400);  // some 20 MB/s: the machine is shared

// Every byte of a stream is this text's at its offset.
const std::vector<char> &text()
{
    static const std::vector<char> block = [] {
        std::vector<char> bytes(kBlockBytes + kChunkBytes);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            const std::size_t at = i % kBlockBytes;
            bytes[i] = static_cast<char>(at * 31 + (at >> 8) * 17);
        }
        return bytes;
    }();
    return block;
}

sockaddr_in6 address_of(const std::string &to, std::uint16_t port)
{
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    const IpAddr ip = *IpAddr::parse(to);
    std::array<std::uint8_t, 16> bytes{};
    if (ip.family() == Family::kIpv4)
        bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + bytes.size() - ip.bytes_be().size(), ip.bytes_be().data(),
                ip.bytes_be().size());
    std::memcpy(&address.sin6_addr, bytes.data(), bytes.size());
    return address;
}

UniqueFd stream_socket(const Netns &where)
{
    return where.inside([] {
        UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int off = 0;
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return fd;
    });
}

}  // namespace

LiveStream::LiveStream(const Netns &client, const std::string &to, std::uint16_t to_port,
                       const Netns &server, std::uint16_t server_port, Flow flow)
{
    const UniqueFd listener = stream_socket(server);
    const sockaddr_in6 own = address_of("::", server_port);
    const sockaddr_in6 peer = address_of(to, to_port);
    client_.socket = stream_socket(client);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr *>(&own), sizeof(own)) < 0 ||
        ::listen(listener.get(), 1) < 0 ||
        ::connect(client_.socket.get(), reinterpret_cast<const sockaddr *>(&peer), sizeof(peer)) <
            0) {
        error_ = errno;
        return;
    }
    server_.socket = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    client_.sends = flow != Flow::kDown;
    server_.sends = flow != Flow::kUp;
    thread_ = std::thread([this] { pump(); });
}

LiveStream::~LiveStream()
{
    stop_ = true;
    if (thread_.joinable())
        thread_.join();
}

bool LiveStream::moves() const
{
    const std::uint64_t up = server_.received;
    const std::uint64_t down = client_.received;
    const Deadline deadline = Deadline::in(kPatience);
    while (!deadline.passed() && trouble().empty()) {
        if ((!client_.sends || server_.received > up + kBlockBytes) &&
            (!server_.sends || client_.received > down + kBlockBytes))
            return true;
        pause_for(std::chrono::milliseconds(1));
    }
    return false;
}

std::string LiveStream::trouble() const
{
    if (wrong_)
        return "wrong bytes";
    const int error = error_;
    return error == 0 ? "" : ::strerrordesc_np(error);
}

bool LiveStream::send_some(End &end)
{
    const ssize_t sent = ::send(end.socket.get(), &text()[end.sent % kBlockBytes], kChunkBytes,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        error_ = errno;
    if (sent > 0)
        end.sent += static_cast<std::uint64_t>(sent);
    return error_ == 0;
}

bool LiveStream::receive_some(End &end)
{
    std::array<char, kChunkBytes> bytes{};
    for (;;) {
        const ssize_t got = ::recv(end.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0) {
            error_ = got < 0 ? errno : ECONNRESET;
            return false;
        }
        if (std::memcmp(bytes.data(), &text()[end.received % kBlockBytes],
                        static_cast<std::size_t>(got)) != 0)
            wrong_ = true;
        end.received += static_cast<std::uint64_t>(got);
    }
}

void LiveStream::pump()
{
    while (!stop_ && error_ == 0) {
        for (End *end : {&client_, &server_}) {
            if (end->sends && !send_some(*end))
                return;
            if (!receive_some(*end))
                return;
        }
        pause_for(kBreath);
    }
}

}  // namespace tortie::test
