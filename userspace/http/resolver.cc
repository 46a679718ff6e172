// SPDX-License-Identifier: Apache-2.0
#include "http/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>

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

Error failure(const std::string &name, int status)
{
    return Error(ErrorKind::kTryAgain, "lookup " + name + ": " + text_of(status));
}

Result<Channel> open_channel(const std::string &name)
{
    if (const int status = ::ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS)
        return fail(failure(name, status));
    ares_channel raw = nullptr;
    if (const int status = ::ares_init(&raw); status != ARES_SUCCESS)
        return fail(failure(name, status));
    return Channel(raw, &::ares_destroy);
}

// Until the callback of `answer` was called.
template <class T>
Result<> wait_for(ares_channel channel, const T &answer, const std::string &name, Deadline deadline)
{
    while (!answer.done && !deadline.passed())
        turn(channel, deadline);
    if (answer.done)
        return {};
    ::ares_cancel(channel);  // calls it now
    return fail(failure(name, ARES_ETIMEOUT));
}

struct ServiceAnswer {
    bool done = false;
    int status = ARES_SUCCESS;
    std::vector<ServiceHost> hosts;
};

std::vector<ServiceHost> hosts_of(const ares_srv_reply *records)
{
    std::vector<const ares_srv_reply *> all;
    for (const auto *record = records; record; record = record->next)
        all.push_back(record);
    std::stable_sort(all.begin(), all.end(), [](const auto *a, const auto *b) {
        return a->priority != b->priority ? a->priority < b->priority : a->weight > b->weight;
    });
    std::vector<ServiceHost> hosts;
    for (const ares_srv_reply *record : all) {
        std::string host = record->host;
        if (host.ends_with('.'))
            host.pop_back();
        if (!host.empty())  // "." alone: there is no such service
            hosts.push_back({.host = std::move(host), .port = record->port});
    }
    return hosts;
}

void on_service_answer(void *arg, int status, int /*timeouts*/, unsigned char *bytes, int length)
{
    auto &answer = *static_cast<ServiceAnswer *>(arg);
    answer.done = true;
    answer.status = status;
    if (status != ARES_SUCCESS)
        return;
    ares_srv_reply *records = nullptr;
    answer.status = ::ares_parse_srv_reply(bytes, length, &records);
    if (answer.status == ARES_SUCCESS)
        answer.hosts = hosts_of(records);
    ::ares_free_data(records);
}

}  // namespace

Result<std::vector<IpAddr>> resolve(const std::string &name, Deadline deadline)
{
    TORTIE_TRY(const Channel channel, open_channel(name));
    Answer answer;
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ::ares_getaddrinfo(channel.get(), name.c_str(), nullptr, &hints, on_answer, &answer);
    TORTIE_DO(wait_for(channel.get(), answer, name, deadline));
    if (answer.addresses.empty())
        return fail(
            failure(name, answer.status == ARES_SUCCESS ? int{ARES_ENODATA} : answer.status));
    std::stable_partition(answer.addresses.begin(), answer.addresses.end(),
                          [](const IpAddr &ip) { return ip.family() == Family::kIpv4; });
    return std::move(answer.addresses);
}

Result<std::vector<ServiceHost>> resolve_service(const std::string &name, Deadline deadline)
{
    TORTIE_TRY(const Channel channel, open_channel(name));
    ServiceAnswer answer;
    ::ares_query(channel.get(), name.c_str(), ns_c_in, ns_t_srv, on_service_answer, &answer);
    TORTIE_DO(wait_for(channel.get(), answer, name, deadline));
    if (answer.hosts.empty())
        return fail(
            failure(name, answer.status == ARES_SUCCESS ? int{ARES_ENODATA} : answer.status));
    return std::move(answer.hosts);
}

}  // namespace tortie::http
