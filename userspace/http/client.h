// SPDX-License-Identifier: Apache-2.0
//
// A client of one server over one HTTP/1.1 connection. What costs time is the round trip and,
// with TLS, the handshake: requests that do not depend on each other go out together, pipelined,
// and the connection is made at the first use and kept.
//
// A write whose answer was lost is never sent twice: whoever asked has to look whether it took
// effect. That is kUnknownOutcome, and the one thing a newcomer must know here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"

namespace tortie::http {

enum class Method : std::uint8_t { kGet, kPost, kPut, kPatch, kDelete };

struct Header {
    std::string name{};
    std::string value{};  // no line breaks
};

struct Request {
    Method method = Method::kGet;
    std::string target{};  // path and query, percent-encoded: "/api/v1/nodes?limit=500"
    std::vector<Header> headers{};
    std::string body{};
    // A second sending does no harm. True of every GET; set it for reads that are POSTs (etcd).
    bool repeatable = false;
};

struct Response {
    unsigned status = 0;
    std::string content_type{};
    std::string retry_after{};
    std::string body{};
};

struct Tls {
    std::string ca_pem{};  // who may sign for the server; empty: the node's own bundle
    std::string certificate_pem{};
    std::string key_pem{};      // unencrypted; with certificate_pem or not at all
    std::string server_name{};  // what the certificate must name; empty: the host
    bool insecure = false;      // believe any certificate
};

struct Proxy {
    bool https = false;
    std::string host{};
    std::uint16_t port = 0;
    std::string user_info{};  // "user:password", empty: none
    std::string ca_pem{};     // of an https proxy; empty: the node's own bundle
};

struct Server {
    std::string host{};  // a name or an address, no brackets
    std::uint16_t port = 0;
    std::optional<Tls> tls{};  // nullopt: plain HTTP
    std::optional<Proxy> proxy{};
};

struct Limits {
    std::chrono::milliseconds connect{10'000};  // TCP, and again for the TLS handshake
    std::size_t header_bytes = 64UL * 1024;
    std::size_t body_bytes = 64UL * 1024 * 1024;  // of one answer
};

// Not safe for threads. Starts none, raises no signal.
class Client {
public:
    explicit Client(Server server, Limits limits = {});
    ~Client();
    Client(Client &&) noexcept;
    Client &operator=(Client &&) noexcept;
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    // Sends all of them on one connection and returns their answers in the same order, whatever
    // the status. The server executes them in order. One that it answered by closing the
    // connection, and all behind it, are sent again on a new one if they are repeatable or had not
    // left yet. Errors, for each request its own, naming method, URL and cause in Go's words:
    //   kTryAgain        not reachable, closed, too late: a write of this kind did not happen
    //   kUnknownOutcome  it left and no whole answer came back; never for a repeatable one
    //   kSystem          the certificate is not to be trusted, or the answer is not HTTP (for a
    //                    write that left, this too is kUnknownOutcome)
    //   kInvalidInput    the certificates or keys of `Tls` are not PEM
    std::vector<Result<Response>> exchange(std::span<const Request> requests, Deadline deadline);

    Result<Response> send(const Request &request, Deadline deadline);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// "GET", ...
std::string_view name_of(Method method);

}  // namespace tortie::http
