// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "http/client.h"
#include "http/stream.h"
#include "http/tls.h"

namespace tortie::http {

// A connection to a server, through its proxy if it has one, ready for requests.
class Connection {
public:
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;
    Connection(Connection &&) = delete;
    Connection &operator=(Connection &&) = delete;

    // Errors: as Client::exchange(), all of them before any request was sent.
    static Result<std::unique_ptr<Connection>> open(const Server &server, const Limits &limits,
                                                    Deadline deadline);

    Stream &stream() { return *streams_.back(); }
    Result<> wait(short events, Deadline deadline) const { return wait_for(fd_, events, deadline); }

    // An unused connection on which something came: that can only be its end.
    bool is_stale() const;

private:
    Connection() = default;

    Result<> add_tcp(const std::string &host, std::uint16_t port, Deadline deadline);
    Result<> add_tls(const TlsContext &tls, const std::string &host, Deadline deadline);
    Result<> reach_proxy(const Server &server, const Limits &limits, Deadline deadline);
    Result<char> read_byte(Deadline deadline);
    Result<> tunnel(const Server &server, const Limits &limits, Deadline deadline);

    // TCP, then TLS to the proxy, then TLS to the server, as far as there are any: each over the
    // one before it.
    std::vector<std::unique_ptr<Stream>> streams_;
    int fd_ = -1;  // of the first
};

// The value of Proxy-Authorization.
std::string basic_authorization(std::string_view user_info);

}  // namespace tortie::http
