// SPDX-License-Identifier: Apache-2.0
#include "http/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "base/file.h"
#include "base/ip_addr.h"
#include "http/resolver.h"
#include "http/url.h"

namespace tortie::http {
namespace {

// A connection that broke or was never made may work the next time.
Error passing(int err, std::string_view doing)
{
    return {ErrorKind::kTryAgain, std::string(doing) + ": " + go_errno_text(err)};
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

SocketAddress socket_address(const IpAddr &ip, std::uint16_t port)
{
    SocketAddress out;
    const auto bytes = ip.bytes_be();
    if (ip.family() == Family::kIpv4) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
        std::memcpy(&out.storage, &v4, sizeof v4);
        out.length = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
        std::memcpy(&out.storage, &v6, sizeof v6);
        out.length = sizeof v6;
    }
    return out;
}

Result<UniqueFd> connect_to(const IpAddr &ip, std::uint16_t port, Deadline deadline)
{
    const SocketAddress address = socket_address(ip, port);
    UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         IPPROTO_TCP));
    if (!fd.valid())
        return fail(passing(errno, "socket"));
    const int on = 1;
    if (::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        return fail(passing(errno, "set TCP_NODELAY"));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address.storage), address.length) ==
        0)
        return fd;
    if (errno != EINPROGRESS && errno != EINTR)
        return fail(passing(errno, "connect"));
    TORTIE_DO(wait_for(fd.get(), POLLOUT, deadline));
    int err = 0;
    socklen_t length = sizeof err;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &err, &length) < 0)
        err = errno;
    if (err != 0)
        return fail(passing(err, "connect"));
    return fd;
}

}  // namespace

Result<> wait_for(int fd, short events, Deadline deadline)
{
    for (;;) {
        pollfd entry{.fd = fd, .events = events, .revents = 0};
        const auto left =
            std::min<std::chrono::milliseconds::rep>(deadline.left().count(), INT_MAX);
        const int ready = ::poll(&entry, 1, static_cast<int>(left));
        if (ready > 0)
            return {};  // errors and hang-ups too: the next call reports them
        if (ready == 0 && deadline.passed())
            return fail(ErrorKind::kTryAgain, "i/o timeout");
        if (ready < 0 && errno != EINTR)
            return fail(passing(errno, "poll"));
    }
}

Result<Io> TcpStream::read(std::span<char> into)
{
    for (;;) {
        const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
        if (got >= 0)
            return Io{.bytes = static_cast<std::size_t>(got), .end = got == 0};
        if (errno == EAGAIN)
            return Io{.wants = POLLIN};
        if (errno != EINTR)
            return fail(passing(errno, "read"));
    }
}

Result<Io> TcpStream::write(std::string_view bytes)
{
    for (;;) {
        const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0)
            return Io{.bytes = static_cast<std::size_t>(sent)};
        if (errno == EAGAIN)
            return Io{.wants = POLLOUT};
        if (errno != EINTR)
            return fail(passing(errno, "write"));
    }
}

Result<std::unique_ptr<TcpStream>> dial(const std::string &host, std::uint16_t port,
                                        Deadline deadline)
{
    std::vector<IpAddr> addresses;
    if (const auto ip = IpAddr::parse(host)) {
        addresses.push_back(*ip);
    } else {
        auto found = resolve(host, deadline);
        if (!found)
            return fail(std::move(found).error().within("dial tcp"));
        addresses = *std::move(found);
    }
    Error last(ErrorKind::kTryAgain, "dial tcp: no address");
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        // A dead address of several must not use up the time of the living ones.
        const auto share = deadline.left() / static_cast<long>(addresses.size() - i);
        auto fd = connect_to(addresses[i], port, deadline.at_most(share));
        if (fd)
            return std::make_unique<TcpStream>(*std::move(fd));
        last = std::move(fd).error().within("dial tcp " +
                                            join_host_port(addresses[i].to_string(), port));
    }
    return fail(std::move(last));
}

}  // namespace tortie::http
