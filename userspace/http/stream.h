// SPDX-License-Identifier: Apache-2.0
//
// Bytes to and from a server without blocking: a TCP socket, or TLS over another stream (over the
// socket, or over the TLS of an https proxy). Nothing here waits; the caller polls the socket for
// what `Io::wants` says.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie::http {

// What one call got done: bytes moved, or the end of the stream, or POLLIN or POLLOUT to wait for.
struct Io {
    std::size_t bytes = 0;
    bool end = false;
    short wants = 0;
};

class Stream {
public:
    Stream() = default;
    virtual ~Stream() = default;
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;
    Stream(Stream &&) = delete;
    Stream &operator=(Stream &&) = delete;

    virtual Result<Io> read(std::span<char> into) = 0;
    // May take fewer bytes than there are. Bytes that it did not take cannot be acted on by the
    // server.
    virtual Result<Io> write(std::string_view bytes) = 0;
};

class TcpStream final : public Stream {
public:
    explicit TcpStream(UniqueFd fd) : fd_(std::move(fd)) {}
    Result<Io> read(std::span<char> into) override;
    Result<Io> write(std::string_view bytes) override;
    int fd() const { return fd_.get(); }

private:
    UniqueFd fd_;
};

// Connects to `host`, whose addresses are tried in turn. TCP_NODELAY is set: a request goes out
// at once. Errors in the words of Go's dialer: "dial tcp 10.0.0.1:443: i/o timeout".
Result<std::unique_ptr<TcpStream>> dial(const std::string &host, std::uint16_t port,
                                        Deadline deadline);

// Until the socket is ready for `events`, or kTryAgain at the deadline: "i/o timeout".
Result<> wait_for(int fd, short events, Deadline deadline);

}  // namespace tortie::http
