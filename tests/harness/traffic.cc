// SPDX-License-Identifier: Apache-2.0
#include "harness/traffic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tortie::test {
namespace {

constexpr int kNoAnswerMs = 300;

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);

    sockaddr *get() { return reinterpret_cast<sockaddr *>(&storage); }
};

SocketAddress address_of(const IpAddr &ip, std::uint16_t port)
{
    SocketAddress address;
    if (ip.family() == Family::kIpv4) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, ip.bytes_be().data(), sizeof(in.sin_addr));
        std::memcpy(&address.storage, &in, sizeof(in));
        address.size = sizeof(in);
    } else {
        sockaddr_in6 in6{};
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(port);
        std::memcpy(&in6.sin6_addr, ip.bytes_be().data(), sizeof(in6.sin6_addr));
        std::memcpy(&address.storage, &in6, sizeof(in6));
        address.size = sizeof(in6);
    }
    return address;
}

std::string text_of(const SocketAddress &address)
{
    sockaddr_in6 in6{};
    std::memcpy(&in6, &address.storage, sizeof(in6));
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
    // An IPv4 client of an IPv6 socket is ::ffff:a.b.c.d, which IpAddr reads as IPv4.
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    const auto ip = IpAddr::parse(text.data());
    return ip ? ip->to_string() : std::string(text.data());
}

int type_of(Transport transport)
{
    return transport == Transport::kTcp ? SOCK_STREAM : SOCK_DGRAM;
}

bool wait_for(int fd, short events, int timeout_ms)
{
    pollfd waiting = {fd, events, 0};
    return ::poll(&waiting, 1, timeout_ms) == 1;
}

UniqueFd bound_socket(const Netns &where, int domain, Transport transport, SocketAddress address)
{
    return where.inside([&] {
        UniqueFd fd(::socket(domain, type_of(transport) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        const int on = 1;
        const int off = 0;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (domain == AF_INET6)
            ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (::bind(fd.get(), address.get(), address.size) < 0)
            ADD_FAILURE() << "bind in " << where.name() << ": errno " << errno;
        return fd;
    });
}

}  // namespace

AddressEcho::AddressEcho(const Netns &where, Transport transport, std::uint16_t port,
                         std::string name)
    : transport_(transport),
      name_(std::move(name)),
      socket_(bound_socket(where, AF_INET6, transport, address_of(*IpAddr::parse("::"), port))),
      stop_(::eventfd(0, EFD_CLOEXEC))
{
    if (transport_ == Transport::kTcp && ::listen(socket_.get(), SOMAXCONN) < 0)
        ADD_FAILURE() << "listen in " << where.name() << ": errno " << errno;
    thread_ = std::thread([this] { serve(); });
}

AddressEcho::~AddressEcho()
{
    const std::uint64_t one = 1;
    if (::write(stop_.get(), &one, sizeof(one)) != sizeof(one))
        ADD_FAILURE() << "stop a server: errno " << errno;
    thread_.join();
}

void AddressEcho::serve()
{
    for (;;) {
        std::array<pollfd, 2> fds = {pollfd{socket_.get(), POLLIN, 0},
                                     pollfd{stop_.get(), POLLIN, 0}};
        ::poll(fds.data(), fds.size(), -1);
        if (fds[1].revents != 0)
            return;
        if (transport_ == Transport::kTcp)
            answer_tcp();
        else
            answer_udp();
    }
}

void AddressEcho::answer_tcp()
{
    SocketAddress peer;
    const UniqueFd connection(::accept4(socket_.get(), peer.get(), &peer.size, SOCK_CLOEXEC));
    if (!connection.valid())
        return;
    const std::string text = name_ + ' ' + text_of(peer);
    if (::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0)
        return;  // the client has gone; it will say so
}

void AddressEcho::answer_udp()
{
    SocketAddress peer;
    std::array<char, 64> question{};
    if (::recvfrom(socket_.get(), question.data(), question.size(), 0, peer.get(), &peer.size) < 0)
        return;
    const std::string text = name_ + ' ' + text_of(peer);
    if (::sendto(socket_.get(), text.data(), text.size(), 0, peer.get(), peer.size) < 0)
        return;
}

Client::Client(const Netns &where, Transport transport, const std::string &to,
               std::uint16_t to_port, std::uint16_t source_port)
    : transport_(transport), to_(IpAddr::parse(to).value()), to_port_(to_port)
{
    const bool v4 = to_.family() == Family::kIpv4;
    socket_ = bound_socket(where, v4 ? AF_INET : AF_INET6, transport,
                           address_of(*IpAddr::parse(v4 ? "0.0.0.0" : "::"), source_port));
}

bool Client::connect_once(int timeout_ms)
{
    SocketAddress server = address_of(to_, to_port_);
    if (connected_ || ::connect(socket_.get(), server.get(), server.size) == 0)
        return true;
    if (errno != EINPROGRESS || !wait_for(socket_.get(), POLLOUT, timeout_ms))
        return false;
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0;
}

std::optional<std::string> Client::ask(int timeout_ms)
{
    connected_ = connect_once(timeout_ms);
    if (!connected_)
        return std::nullopt;
    if (transport_ == Transport::kUdp && ::send(socket_.get(), "?", 1, MSG_NOSIGNAL) < 0)
        return std::nullopt;
    if (!wait_for(socket_.get(), POLLIN, timeout_ms))
        return std::nullopt;
    std::array<char, 256> answer{};
    const ssize_t got = ::recv(socket_.get(), answer.data(), answer.size(), 0);
    if (got <= 0)
        return std::nullopt;
    return std::string(answer.data(), static_cast<std::size_t>(got));
}

std::string ask(const Netns &from, Transport transport, const std::string &to, std::uint16_t port)
{
    return Client(from, transport, to, port).ask().value_or("nobody");
}

bool nobody_answers(const Netns &from, Transport transport, const std::string &to,
                    std::uint16_t port)
{
    return !Client(from, transport, to, port).ask(kNoAnswerMs);
}

}  // namespace tortie::test
