// SPDX-License-Identifier: Apache-2.0
//
// Real TCP and UDP between namespaces, in the test's own process: a socket stays in the namespace
// it was made in, whatever thread uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/ip_addr.h"
#include "base/unique_fd.h"
#include "harness/netns.h"

namespace tortie::test {

enum class Transport { kTcp, kUdp };

// Answers everybody who comes to `port` in a namespace, over IPv4 and IPv6, with
// "<name> <the address it saw>": which server it was, and whether the client was masqueraded.
class AddressEcho {
public:
    AddressEcho(const Netns &where, Transport transport, std::uint16_t port, std::string name);
    ~AddressEcho();
    AddressEcho(const AddressEcho &) = delete;
    AddressEcho &operator=(const AddressEcho &) = delete;
    AddressEcho(AddressEcho &&) = delete;
    AddressEcho &operator=(AddressEcho &&) = delete;

private:
    void serve();
    void answer_tcp();
    void answer_udp();

    Transport transport_;
    std::string name_;
    UniqueFd socket_;
    UniqueFd stop_;  // an eventfd
    std::thread thread_;
};

// A client's socket, which keeps its source port from question to question.
class Client {
public:
    // `source_port` 0: the kernel's choice.
    Client(const Netns &where, Transport transport, const std::string &to, std::uint16_t to_port,
           std::uint16_t source_port = 0);

    // What the server said; nullopt when nobody answered in time or the connection was refused.
    std::optional<std::string> ask(int timeout_ms = 2000);

private:
    bool connect_once(int timeout_ms);

    Transport transport_;
    IpAddr to_;
    std::uint16_t to_port_;
    UniqueFd socket_;
    bool connected_ = false;
};

// One question of a new client; "nobody" when there was no answer.
std::string ask(const Netns &from, Transport transport, const std::string &to, std::uint16_t port);

// The same where no answer is expected: waits less.
bool nobody_answers(const Netns &from, Transport transport, const std::string &to,
                    std::uint16_t port);

}  // namespace tortie::test
