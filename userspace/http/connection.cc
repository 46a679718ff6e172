// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <poll.h>

#include <optional>

#include "base/base64.h"
#include "http/response_reader.h"
#include "http/url.h"

namespace tortie::http {
namespace {

constexpr std::size_t kMostProxyBytes = 64UL * 1024;

std::string connect_request(const Server &server)
{
    const std::string target = join_host_port(server.host, server.port);
    std::string text = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (!server.proxy->user_info.empty()) {
        text += "Proxy-Authorization: " + basic_authorization(server.proxy->user_info) + "\r\n";
    }
    return text + "\r\n";
}

}  // namespace

std::string basic_authorization(std::string_view user_info)
{
    return "Basic " + base64_encode(user_info);
}

// Streams use the one below them to the end: the last goes first.
Connection::~Connection()
{
    while (!streams_.empty())
        streams_.pop_back();
}

Result<> Connection::add_tls(const TlsContext &tls, const std::string &host, Deadline deadline)
{
    TORTIE_TRY(auto layer, tls.start(host, *streams_.back()));
    for (;;) {
        TORTIE_TRY(const Io io, layer->handshake());
        if (io.wants == 0)
            break;
        if (!wait(io.wants, deadline))
            return fail(ErrorKind::kTryAgain, "net/http: TLS handshake timeout");
    }
    streams_.push_back(std::move(layer));
    return {};
}

Result<> Connection::add_tcp(const std::string &host, std::uint16_t port, Deadline deadline)
{
    TORTIE_TRY(auto tcp, dial(host, port, deadline));
    fd_ = tcp->fd();
    streams_.push_back(std::move(tcp));
    return {};
}

Result<char> Connection::read_byte(Deadline deadline)
{
    for (;;) {
        char byte = 0;
        TORTIE_TRY(const Io io, stream().read({&byte, 1}));
        if (io.end)
            return fail(ErrorKind::kTryAgain, "EOF");
        if (io.wants == 0)
            return byte;
        TORTIE_DO(wait(io.wants, deadline));
    }
}

// Asks the proxy for a way to the server and reads exactly its answer: the next byte is the
// server's.
Result<> Connection::tunnel(const Server &server, const Limits &limits, Deadline deadline)
{
    const std::string request = connect_request(server);
    for (std::string_view rest = request; !rest.empty();) {
        TORTIE_TRY(const Io io, stream().write(rest));
        rest.remove_prefix(io.bytes);
        if (io.wants != 0)
            TORTIE_DO(wait(io.wants, deadline));
    }
    ResponseReader reader({.header_bytes = limits.header_bytes, .body_bytes = kMostProxyBytes},
                          /*answers_connect=*/true);
    for (;;) {
        TORTIE_TRY(const char byte, read_byte(deadline));
        reader.add({&byte, 1});
        TORTIE_TRY(const auto answer, reader.next());
        if (!answer)
            continue;
        if (answer->status / 100 == 2)
            return {};
        return fail(ErrorKind::kTryAgain,
                    "the proxy answered CONNECT with status " + std::to_string(answer->status));
    }
}

Result<> Connection::reach_proxy(const Server &server, const Limits &limits, Deadline deadline)
{
    const Proxy &proxy = *server.proxy;
    TORTIE_DO(add_tcp(proxy.host, proxy.port, deadline.at_most(limits.connect)));
    if (proxy.https) {
        TORTIE_TRY(const TlsContext tls, TlsContext::make(Tls{.ca_pem = proxy.ca_pem}));
        TORTIE_DO(add_tls(tls, proxy.host, deadline.at_most(limits.connect)));
    }
    if (!server.tls)
        return {};
    return tunnel(server, limits, deadline.at_most(limits.connect));
}

Result<std::unique_ptr<Connection>> Connection::open(const Server &server, const Limits &limits,
                                                     Deadline deadline)
{
    // Before anything is sent: what is wrong on this side needs no connection.
    std::optional<TlsContext> tls;
    if (server.tls) {
        TORTIE_TRY(tls, TlsContext::make(*server.tls));
    }
    std::unique_ptr<Connection> made(new Connection);
    if (server.proxy) {
        if (auto reached = made->reach_proxy(server, limits, deadline); !reached)
            return fail(std::move(reached).error().within("proxyconnect tcp"));
    } else {
        TORTIE_DO(made->add_tcp(server.host, server.port, deadline.at_most(limits.connect)));
    }
    if (tls)
        TORTIE_DO(made->add_tls(*tls, server.host, deadline.at_most(limits.connect)));
    return made;
}

bool Connection::is_stale() const
{
    pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) != 0;
}

}  // namespace tortie::http
