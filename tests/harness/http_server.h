// SPDX-License-Identifier: Apache-2.0
//
// An HTTP server that does what a test tells it, right or wrong: one function a connection, run in
// a thread, on real sockets of loopback.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "harness/tls_authority.h"

namespace tortie::test {

// One connection, seen from the server. Calls block for ten seconds at most.
class HttpPeer {
public:
    virtual ~HttpPeer() = default;

    // Head and body as they came; empty when the client closed.
    virtual std::string request() = 0;
    virtual void write(std::string_view bytes) = 0;

    // From here on TLS, over what there is: a proxy that has let the client through.
    virtual void begin_tls(const Identity &identity) = 0;

    // "HTTP/1.1 200 OK" with length and body; `headers` are whole lines.
    void answer(unsigned status, std::string_view body, std::string_view headers = "");
};

class HttpServer {
public:
    using Script = std::function<void(HttpPeer &)>;

    struct Options {
        std::optional<Identity> tls;
        std::string client_ca_pem;  // ask for a client certificate by this CA
        std::string address = "127.0.0.1";
    };

    // Connection n is served by scripts[n]; when all are done the port is closed.
    explicit HttpServer(std::vector<Script> scripts);
    HttpServer(std::vector<Script> scripts, Options options);
    ~HttpServer();
    HttpServer(const HttpServer &) = delete;
    HttpServer &operator=(const HttpServer &) = delete;
    HttpServer(HttpServer &&) = delete;
    HttpServer &operator=(HttpServer &&) = delete;

    std::uint16_t port() const { return port_; }

    // What came so far, of all connections.
    std::vector<std::string> requests() const;
    std::size_t connections() const;

private:
    void serve();
    void serve_one(UniqueFd fd, const Script &script);

    Options options_;
    std::vector<Script> scripts_;
    UniqueFd listener_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::size_t connections_ = 0;
    std::thread thread_;
};

// Answers `count` requests (all that come by default) with 200 and the body "answer to <target>".
HttpServer::Script echo_targets(std::size_t count = SIZE_MAX);

// "/a" of "GET /a HTTP/1.1...".
std::string target_of(std::string_view request);

}  // namespace tortie::test
