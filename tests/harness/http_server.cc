// SPDX-License-Identifier: Apache-2.0
#include "harness/http_server.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/ip_addr.h"
#include "base/strings.h"

namespace tortie::test {
namespace {

constexpr int kPatienceMs = 10'000;

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T *object) const
    {
        Free(object);
    }
};
using Ctx = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Deleter<SSL_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

void require(bool truth)
{
    if (!truth)
        std::abort();
}

Bio memory(const std::string &pem)
{
    return Bio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Ctx context_of(const Identity &identity, const std::string &client_ca_pem)
{
    Ctx ctx(::SSL_CTX_new(::TLS_server_method()));
    const Certificate leaf(
        ::PEM_read_bio_X509(memory(identity.certificate_pem).get(), nullptr, nullptr, nullptr));
    const Key key(
        ::PEM_read_bio_PrivateKey(memory(identity.key_pem).get(), nullptr, nullptr, nullptr));
    require(::SSL_CTX_use_certificate(ctx.get(), leaf.get()) == 1);
    require(::SSL_CTX_use_PrivateKey(ctx.get(), key.get()) == 1);
    if (client_ca_pem.empty())
        return ctx;
    const Certificate ca(
        ::PEM_read_bio_X509(memory(client_ca_pem).get(), nullptr, nullptr, nullptr));
    ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(ctx.get()), ca.get());
    ::SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return ctx;
}

class Peer final : public HttpPeer {
public:
    Peer(int fd, std::function<void(const std::string &)> on_request)
        : fd_(fd), on_request_(std::move(on_request))
    {
    }
    ~Peer() override
    {
        while (!layers_.empty()) {
            ::SSL_shutdown(session());
            layers_.pop_back();
        }
    }
    Peer(const Peer &) = delete;
    Peer &operator=(const Peer &) = delete;
    Peer(Peer &&) = delete;
    Peer &operator=(Peer &&) = delete;

    bool accept_tls(const Identity &identity, const std::string &client_ca_pem);
    void begin_tls(const Identity &identity) override { accept_tls(identity, ""); }
    std::string request() override;
    void write(std::string_view bytes) override;

private:
    struct Layer {
        Ctx ctx;
        Session session;
    };

    SSL *session() const { return layers_.empty() ? nullptr : layers_.back().session.get(); }
    std::size_t whole_request() const;
    bool read_more();

    int fd_;
    std::vector<Layer> layers_;  // of TLS, each over the one before it
    std::function<void(const std::string &)> on_request_;
    std::string input_;
};

bool Peer::accept_tls(const Identity &identity, const std::string &client_ca_pem)
{
    Layer layer;
    layer.ctx = context_of(identity, client_ca_pem);
    layer.session.reset(::SSL_new(layer.ctx.get()));
    if (session()) {
        BIO *below = ::BIO_new(::BIO_f_ssl());
        ::BIO_ctrl(below, BIO_C_SET_SSL, BIO_NOCLOSE, session());
        ::SSL_set_bio(layer.session.get(), below, below);
    } else {
        ::SSL_set_fd(layer.session.get(), fd_);
    }
    const bool accepted = ::SSL_accept(layer.session.get()) == 1;
    if (accepted)
        layers_.push_back(std::move(layer));
    return accepted;
}

std::string Peer::request()
{
    for (;;) {
        if (const std::size_t size = whole_request(); size > 0) {
            std::string text = input_.substr(0, size);
            input_.erase(0, size);
            on_request_(text);
            return text;
        }
        if (!read_more())
            return {};
    }
}

void Peer::write(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = session()
                              ? ::SSL_write(session(), bytes.data(), static_cast<int>(bytes.size()))
                              : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// 0: not yet.
std::size_t Peer::whole_request() const
{
    const std::size_t head = input_.find("\r\n\r\n");
    if (head == std::string::npos)
        return 0;
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t at = input_.find(kLength);
    std::size_t body = 0;
    if (at < head)
        body = std::strtoul(input_.c_str() + at + kLength.size(), nullptr, 10);
    const std::size_t size = head + 4 + body;
    return input_.size() < size ? 0 : size;
}

bool Peer::read_more()
{
    std::array<char, 65536> buffer{};
    const auto got = session() ? ::SSL_read(session(), buffer.data(), buffer.size())
                               : ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got <= 0)
        return false;
    input_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
}

UniqueFd listen_on(const std::string &address, std::uint16_t &port)
{
    const bool v6 = address.find(':') != std::string::npos;
    const auto bytes_be = IpAddr::parse(address).value();
    UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage bound{};
    if (v6) {
        sockaddr_in6 in6{};
        in6.sin6_family = AF_INET6;
        std::memcpy(&in6.sin6_addr, bytes_be.bytes_be().data(), 16);
        std::memcpy(&bound, &in6, sizeof in6);
    } else {
        sockaddr_in in4{};
        in4.sin_family = AF_INET;
        std::memcpy(&in4.sin_addr, bytes_be.bytes_be().data(), 4);
        std::memcpy(&bound, &in4, sizeof in4);
    }
    socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    require(::bind(fd.get(), reinterpret_cast<sockaddr *>(&bound), size) == 0);
    require(::listen(fd.get(), 16) == 0);
    require(::getsockname(fd.get(), reinterpret_cast<sockaddr *>(&bound), &size) == 0);
    sockaddr_in in4{};  // the port stands in the same place for both families
    std::memcpy(&in4, &bound, sizeof in4);
    port = ntohs(in4.sin_port);
    return fd;
}

}  // namespace

void HttpPeer::answer(unsigned status, std::string_view body, std::string_view headers)
{
    write("HTTP/1.1 " + std::to_string(status) + " Text\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" + std::string(body));
}

HttpServer::HttpServer(std::vector<Script> scripts) : HttpServer(std::move(scripts), Options()) {}

HttpServer::HttpServer(std::vector<Script> scripts, Options options)
    : options_(std::move(options)), scripts_(std::move(scripts))
{
    listener_ = listen_on(options_.address, port_);
    thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer()
{
    ::shutdown(listener_.get(), SHUT_RDWR);  // wakes accept()
    thread_.join();
}

std::vector<std::string> HttpServer::requests() const
{
    const std::lock_guard lock(mutex_);
    return requests_;
}

std::size_t HttpServer::connections() const
{
    const std::lock_guard lock(mutex_);
    return connections_;
}

void HttpServer::serve()
{
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);  // in this thread only: the client has to cope
    for (const Script &script : scripts_) {
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd.valid())
            return;
        {
            const std::lock_guard lock(mutex_);
            ++connections_;
        }
        serve_one(std::move(fd), script);
    }
    ::shutdown(listener_.get(), SHUT_RDWR);
}

void HttpServer::serve_one(UniqueFd fd, const Script &script)
{
    const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    Peer peer(fd.get(), [this](const std::string &text) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(text);
    });
    if (options_.tls && !peer.accept_tls(*options_.tls, options_.client_ca_pem))
        return;
    script(peer);
}

HttpServer::Script echo_targets(std::size_t count)
{
    return [count](HttpPeer &peer) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::string request = peer.request();
            if (request.empty())
                return;
            peer.answer(200, "answer to " + target_of(request));
        }
    };
}

std::string target_of(std::string_view request)
{
    const auto parts = words(request.substr(0, request.find('\r')));
    return parts.size() > 1 ? std::string(parts[1]) : std::string();
}

}  // namespace tortie::test
