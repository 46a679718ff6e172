// SPDX-License-Identifier: Apache-2.0
#include "prog/portmap_node.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <vector>

#include "base/deadline.h"
#include "base/pause.h"

namespace tortie::test {
namespace {

constexpr int kPatienceMs = 2000;

// Everything is an IPv6 socket, IPv4 v4-mapped.
sockaddr_in6 socket_address(const std::string &address, std::uint16_t port)
{
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    const MapAddress mapped(address);
    static_assert(sizeof(mapped.words_be) == sizeof(to.sin6_addr));
    std::memcpy(&to.sin6_addr, mapped.words_be, sizeof(to.sin6_addr));
    return to;
}

UniqueFd tcp_socket(const Netns &where)
{
    return where.inside([] { return UniqueFd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
}

bool wait_to_read(int fd)
{
    pollfd waiting = {fd, POLLIN, 0};
    return ::poll(&waiting, 1, kPatienceMs) == 1;
}

bool pass_on(int from, int to, std::size_t bytes)
{
    std::vector<char> sent(bytes, 'x');
    for (std::size_t i = 0; i < bytes; ++i)
        sent[i] = static_cast<char>('a' + i % 26);
    if (::send(from, sent.data(), bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes))
        return false;
    std::vector<char> got(bytes);
    for (std::size_t at = 0; at < bytes;) {
        if (!wait_to_read(to))
            return false;
        const ssize_t n = ::recv(to, &got[at], bytes - at, 0);
        if (n <= 0)
            return false;
        at += static_cast<std::size_t>(n);
    }
    return got == sent;
}

}  // namespace

void wait_until_local(const Netns &where, const std::string &address)
{
    const Deadline deadline = Deadline::in(std::chrono::seconds(5));
    while (where.ip({"-6", "route", "show", "table", "local"}).find("local " + address + " ") ==
           std::string::npos) {
        ASSERT_FALSE(deadline.passed()) << address;
        pause_for(std::chrono::milliseconds(2));
    }
}

PortmapNode::PortmapNode(bool v6)
    : v6_(v6),
      node_address_(v6 ? "2001:db8:1::1" : "192.0.2.1"),
      pod_address_(v6 ? "2001:db8:2::2" : "10.65.0.2")
{
    link_up();
    translate();
}

void PortmapNode::link_up() const
{
    // Neighbours do not answer while an address may be somebody else's, which takes a second.
    for (const Netns *each : {&client, &node, &pod})
        each->run({"sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0",
                   "net.ipv6.conf.default.dad_transmits=0"});
    veth_pair(client, "eth0", node, "up0");
    veth_pair(pod, "eth0", node, "pod0");
    const auto configure = [](const Netns &where, const std::string &device, const std::string &v4,
                              const std::string &v6) {
        where.ip({"link", "set", "lo", "up"});
        where.ip({"link", "set", device, "up"});
        where.ip({"address", "add", v4 + "/24", "dev", device});
        where.ip({"address", "add", v6 + "/64", "dev", device, "nodad"});
    };
    configure(client, "eth0", "192.0.2.2", "2001:db8:1::2");
    configure(node, "up0", "192.0.2.1", "2001:db8:1::1");
    configure(node, "pod0", "10.65.0.1", "2001:db8:2::1");
    configure(pod, "eth0", "10.65.0.2", "2001:db8:2::2");
    for (const char *way : {"192.0.2.1", "2001:db8:1::1"})
        client.ip({"route", "add", "default", "via", way});
    for (const char *way : {"10.65.0.1", "2001:db8:2::1"})
        pod.ip({"route", "add", "default", "via", way});
    wait_until_local(client, "2001:db8:1::2");
    wait_until_local(node, "2001:db8:2::1");
    wait_until_local(pod, "2001:db8:2::2");
    node.run({"sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"});
}

void PortmapNode::translate() const
{
    const auto rules = [](const std::string &family, const std::string &to) {
        const std::string rule = "add rule " + family + " nat pre fib daddr type local ";
        return "add table " + family + " nat; add chain " + family +
               " nat pre { type nat hook prerouting priority dstnat; }; " + rule +
               "tcp dport 8080 dnat to " + to + ":80; " + rule + "udp dport 8080 dnat to " + to +
               ":80; ";
    };
    node.run({"nft", rules("ip", "10.65.0.2") + rules("ip6", "[2001:db8:2::2]")});
}

unsigned PortmapNode::ifindex(const std::string &device) const
{
    return node.inside([&] { return ::if_nametoindex(device.c_str()); });
}

void PortmapNode::publish(std::uint32_t flags) const
{
    object.look_once_a_second();
    object.add_uplink(ifindex("up0"));
    object.add_pod(pod_address_, ifindex("pod0"), 1500, flags);
    for (const std::uint8_t l4 : kTransports)
        object.publish({.node = v6_ ? "::" : "0.0.0.0",
                        .port = kHostPort,
                        .l4_proto = l4,
                        .pod = pod_address_,
                        .pod_port = kPodPort},
                       flags);
}

void PortmapNode::attach(Way way) const
{
    test::attach(node, object.skeleton().progs.tt_pm_ingress, "up0", way);
    test::attach(node, object.skeleton().progs.tt_pm_reply, "pod0", way);
}

Conversation::Conversation(const PortmapNode &where, const std::string &to, std::uint16_t port)
    : listener_(tcp_socket(where.pod)), client_(tcp_socket(where.client))
{
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ::setsockopt(client_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const sockaddr_in6 here = socket_address("::", kPodPort);
    const sockaddr_in6 there = socket_address(to, port);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr *>(&here), sizeof(here)), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    timeval patience = {.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
    ::setsockopt(client_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (::connect(client_.get(), reinterpret_cast<const sockaddr *>(&there), sizeof(there)) < 0 ||
        !wait_to_read(listener_.get()))
        return;
    server_ = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

bool Conversation::client_says(std::size_t bytes) const
{
    return pass_on(client_.get(), server_.get(), bytes);
}

bool Conversation::server_says(std::size_t bytes) const
{
    return pass_on(server_.get(), client_.get(), bytes);
}

bool Conversation::exchange(int times, std::size_t bytes) const
{
    for (int i = 0; i < times; ++i)
        if (!client_says(bytes) || !server_says(bytes))
            return false;
    return true;
}

void Conversation::client_stops() const
{
    ::shutdown(client_.get(), SHUT_WR);
}

void Conversation::server_stops() const
{
    ::shutdown(server_.get(), SHUT_WR);
}

std::uint16_t Conversation::client_port() const
{
    sockaddr_in6 own{};
    socklen_t size = sizeof(own);
    ::getsockname(client_.get(), reinterpret_cast<sockaddr *>(&own), &size);
    return ntohs(own.sin6_port);
}

}  // namespace tortie::test
