// SPDX-License-Identifier: Apache-2.0
#include "http/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>

namespace tortie::http {
namespace {

struct Answer {
    bool done = false;
    int status = ARES_SUCCESS;
    std::vector<IpAddr> addresses;
};

IpAddr address_of(const ares_addrinfo_node &node)
{
    std::array<std::uint8_t, 16> bytes{};
    if (node.ai_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, node.ai_addr, sizeof v4);
        std::memcpy(bytes.data(), &v4.sin_addr, 4);
        return IpAddr::from_bytes(std::span(bytes).first(4));
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, node.ai_addr, sizeof v6);
    std::memcpy(bytes.data(), &v6.sin6_addr, 16);
    return IpAddr::from_bytes(bytes);
}

void on_answer(void *arg, int status, int /*timeouts*/, ares_addrinfo *info)
{
    auto &answer = *static_cast<Answer *>(arg);
    answer.done = true;
    answer.status = status;
    for (const auto *node = info ? info->nodes : nullptr; node; node = node->ai_next) {
        if (node->ai_family == AF_INET || node->ai_family == AF_INET6)
            answer.addresses.push_back(address_of(*node));
    }
    if (info)
        ::ares_freeaddrinfo(info);
}

// One poll of every socket that c-ares has open, at most until the deadline.
void turn(ares_channel channel, Deadline deadline)
{
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const auto bits =
        static_cast<unsigned>(::ares_getsock(channel, sockets.data(), ARES_GETSOCK_MAXNUM));
    std::array<pollfd, ARES_GETSOCK_MAXNUM> polled{};
    nfds_t count = 0;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
        const bool reads = (bits & 1U << i) != 0;
        const bool writes = (bits & 1U << (i + ARES_GETSOCK_MAXNUM)) != 0;
        if (reads || writes) {
            const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
            polled[count++] = {
                .fd = sockets[i], .events = static_cast<short>(events), .revents = 0};
        }
    }
    timeval most{};
    const auto left = std::min<std::chrono::milliseconds::rep>(deadline.left().count(), INT_MAX);
    most.tv_sec = left / 1000;
    most.tv_usec = left % 1000 * 1000;
    timeval own{};  // when c-ares wants to ask again
    const timeval *wait = ::ares_timeout(channel, &most, &own);
    const auto wait_ms = static_cast<int>(wait->tv_sec * 1000 + (wait->tv_usec + 999) / 1000);
    if (::poll(polled.data(), count, wait_ms) <= 0) {
        ::ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // its timers
        return;
    }
    for (nfds_t i = 0; i < count; ++i) {
        const auto &entry = polled[i];
        const bool readable = (entry.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        const bool writable = (entry.revents & (POLLOUT | POLLERR)) != 0;
        ::ares_process_fd(channel, readable ? entry.fd : ARES_SOCKET_BAD,
                          writable ? entry.fd : ARES_SOCKET_BAD);
    }
}

std::string text_of(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
        return "no such host";
    case ARES_ETIMEOUT:
    case ARES_EDESTRUCTION:  // our own deadline
    case ARES_ECANCELLED:
        return "i/o timeout";
    default:
        return ::ares_strerror(status);
    }
}

using Channel = std::unique_ptr<ares_channeldata, decltype(&::ares_destroy)>;

}  // namespace

Result<std::vector<IpAddr>> resolve(const std::string &name, Deadline deadline)
{
    const auto failed = [&](int status) {
        return fail(ErrorKind::kTryAgain, "lookup " + name + ": " + text_of(status));
    };
    if (const int status = ::ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS)
        return failed(status);
    ares_channel raw = nullptr;
    if (const int status = ::ares_init(&raw); status != ARES_SUCCESS)
        return failed(status);
    const Channel channel(raw, &::ares_destroy);

    Answer answer;
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ::ares_getaddrinfo(channel.get(), name.c_str(), nullptr, &hints, on_answer, &answer);
    while (!answer.done && !deadline.passed())
        turn(channel.get(), deadline);
    if (!answer.done) {
        ::ares_cancel(channel.get());  // calls on_answer()
        return failed(ARES_ETIMEOUT);
    }
    if (answer.addresses.empty())
        return failed(answer.status == ARES_SUCCESS ? ARES_ENODATA : answer.status);
    std::stable_partition(answer.addresses.begin(), answer.addresses.end(),
                          [](const IpAddr &ip) { return ip.family() == Family::kIpv4; });
    return std::move(answer.addresses);
}

}  // namespace tortie::http
