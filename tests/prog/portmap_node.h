// SPDX-License-Identifier: Apache-2.0
//
// A client, a node and a pod with netfilter's translation between them and the programs beside it:
//
//   client eth0 192.0.2.2, 2001:db8:1::2 -- up0 192.0.2.1, 2001:db8:1::1 node
//   node pod0 10.65.0.1, 2001:db8:2::1 -- eth0 10.65.0.2, 2001:db8:2::2 pod
//
// Port kHostPort of the node is port kPodPort of the pod, TCP and UDP, on any address.
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "harness/netns.h"
#include "harness/traffic.h"
#include "prog/portmap_object.h"

namespace tortie::test {

inline constexpr std::uint16_t kHostPort = 8080;
inline constexpr std::uint16_t kPodPort = 80;

// Waits until packets to an address of the namespace are its own: with IPv6 that takes the kernel a
// moment.
void wait_until_local(const Netns &where, const std::string &address);

class PortmapNode {
public:
    explicit PortmapNode(bool v6);

    const std::string &node_address() const { return node_address_; }
    const std::string &pod_address() const { return pod_address_; }
    unsigned ifindex(const std::string &device) const;

    // The maps know the mappings and both devices, looks come once a second.
    void publish(std::uint32_t flags = TORTIE_PM_MAY_ADOPT) const;
    void attach(Way way) const;

    Netns client;
    Netns node;
    Netns pod;
    PortmapObject object;

private:
    void link_up() const;
    void translate() const;

    bool v6_;
    std::string node_address_;
    std::string pod_address_;
};

// One TCP connection from the client to the node's port, both of its ends in this process.
class Conversation {
public:
    explicit Conversation(const PortmapNode &where)
        : Conversation(where, where.node_address(), kHostPort)
    {
    }
    // The same to another address of the pod.
    Conversation(const PortmapNode &where, const std::string &to, std::uint16_t port);

    bool connected() const { return client_.valid() && server_.valid(); }

    // Sends `bytes` bytes each way, `times` times; false when something does not arrive whole
    // in two seconds.
    bool exchange(int times, std::size_t bytes = 64) const;

    bool client_says(std::size_t bytes) const;
    bool server_says(std::size_t bytes) const;
    void client_stops() const;
    void server_stops() const;
    std::uint16_t client_port() const;

private:
    UniqueFd listener_;
    UniqueFd client_;
    UniqueFd server_;
};

}  // namespace tortie::test
