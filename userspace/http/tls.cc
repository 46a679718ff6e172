// SPDX-License-Identifier: Apache-2.0
#include "http/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <array>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/ip_addr.h"
#include "http/tls_names.h"

namespace tortie::http {
namespace {

// What a kube-apiserver and an etcd agree on in one round trip; the rest is for old servers.
constexpr std::string_view kGroups = "X25519:P-256:P-384";
// The node's own bundle, where Go looks for it.
constexpr std::array<const char *, 6> kBundles = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL 6
    "/etc/ssl/ca-bundle.pem",                             // openSUSE
    "/etc/pki/tls/cacert.pem",                            // OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL 7 and later
    "/etc/ssl/cert.pem",                                  // Alpine
};
constexpr std::size_t kMostBundleBytes = 8UL * 1024 * 1024;
// SSL_R_* of an alert that the server sent are its number plus this.
constexpr int kAlertReason = 1000;

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
using BioMethod = std::unique_ptr<BIO_METHOD, Deleter<BIO_meth_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

// Strings of errors are not loaded: our texts are Go's, and loading them costs every process.
bool init_openssl()
{
    constexpr std::uint64_t kOptions = OPENSSL_INIT_NO_LOAD_CONFIG |
                                       OPENSSL_INIT_NO_LOAD_SSL_STRINGS |
                                       OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT;
    return ::OPENSSL_init_ssl(kOptions, nullptr) == 1;
}

Error openssl_error(std::string_view doing)
{
    const unsigned long code = ::ERR_peek_last_error();
    ::ERR_clear_error();
    return {ErrorKind::kSystem, std::string(doing) + ": OpenSSL error " +
                                    std::to_string(ERR_GET_LIB(code)) + ':' +
                                    std::to_string(ERR_GET_REASON(code))};
}

Error bad_pem(std::string_view what)
{
    ::ERR_clear_error();
    return {ErrorKind::kInvalidInput, "tls: " + std::string(what)};
}

int no_password(char * /*into*/, int /*size*/, int /*writing*/, void * /*arg*/)
{
    return -1;
}

Result<Bio> memory_bio(std::string_view pem)
{
    Bio bio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio)
        return fail(openssl_error("read PEM"));
    return bio;
}

Result<> trust(SSL_CTX &ctx, std::string_view pem)
{
    TORTIE_TRY(const Bio bio, memory_bio(pem));
    X509_STORE *store = ::SSL_CTX_get_cert_store(&ctx);
    std::size_t count = 0;
    while (const Certificate ca{::PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)}) {
        if (::X509_STORE_add_cert(store, ca.get()) != 1)
            return fail(openssl_error("add a CA certificate"));
        ++count;
    }
    ::ERR_clear_error();  // the end of the text
    if (count == 0)
        return fail(bad_pem("the CA holds no certificate in PEM"));
    return {};
}

Result<> trust_bundle(SSL_CTX &ctx)
{
    for (const char *path : kBundles) {
        const auto pem = read_file(path, kMostBundleBytes);
        if (pem)
            return trust(ctx, *pem);
    }
    return fail(ErrorKind::kSystem,
                "x509: no CA given, and this node has no bundle of certificates");
}

Result<> present(SSL_CTX &ctx, const Tls &tls)
{
    TORTIE_TRY(const Bio certificates, memory_bio(tls.certificate_pem));
    const Certificate leaf(::PEM_read_bio_X509(certificates.get(), nullptr, no_password, nullptr));
    if (!leaf || ::SSL_CTX_use_certificate(&ctx, leaf.get()) != 1)
        return fail(bad_pem("the client certificate is not PEM"));
    while (const Certificate next{
        ::PEM_read_bio_X509(certificates.get(), nullptr, no_password, nullptr)}) {
        if (::SSL_CTX_add1_chain_cert(&ctx, next.get()) != 1)
            return fail(openssl_error("add a chain certificate"));
    }
    ::ERR_clear_error();
    TORTIE_TRY(const Bio keys, memory_bio(tls.key_pem));
    const Key key(::PEM_read_bio_PrivateKey(keys.get(), nullptr, no_password, nullptr));
    if (!key)
        return fail(bad_pem("the client key is not unencrypted PEM"));
    if (::SSL_CTX_use_PrivateKey(&ctx, key.get()) != 1)
        return fail(bad_pem("private key does not match public key"));
    return {};
}

// The macros of OpenSSL for this and for the next cast the old way.
bool set_groups(SSL_CTX &ctx)
{
    std::string groups(kGroups);
    return ::SSL_CTX_ctrl(&ctx, SSL_CTRL_SET_GROUPS_LIST, 0, groups.data()) == 1;
}

// SNI.
bool name_server(SSL &session, std::string name)
{
    return ::SSL_ctrl(&session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                      name.data()) == 1;
}

Result<Ctx> make_context(const Tls &tls)
{
    Ctx ctx(init_openssl() ? ::SSL_CTX_new(::TLS_client_method()) : nullptr);
    if (!ctx || ::SSL_CTX_set_min_proto_version(ctx.get(), TLS1_2_VERSION) != 1 ||
        !set_groups(*ctx))
        return fail(openssl_error("set up TLS"));
    ::SSL_CTX_set_mode(ctx.get(),
                       SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!tls.insecure) {
        ::SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
        TORTIE_DO(tls.ca_pem.empty() ? trust_bundle(*ctx) : trust(*ctx, tls.ca_pem));
    }
    if (!tls.certificate_pem.empty())
        TORTIE_DO(present(*ctx, tls));
    return ctx;
}

// Whom the certificate must name. An intermediate CA may be the root of trust, and the subject's
// common name is not looked at, both as in Go.
Result<> expect(SSL &session, const std::string &name)
{
    X509_VERIFY_PARAM *param = ::SSL_get0_param(&session);
    ::X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    ::X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const auto ip = IpAddr::parse(name);
    const bool set =
        ip ? ::X509_VERIFY_PARAM_set1_ip(param, ip->bytes_be().data(), ip->bytes_be().size()) == 1
           : ::X509_VERIFY_PARAM_set1_host(param, name.data(), name.size()) == 1 &&
                 name_server(session, name);
    if (!set)
        return fail(openssl_error("expect the name " + name));
    return {};
}

class OpensslStream final : public TlsStream {
public:
    OpensslStream(Stream &below, std::string name) : below_(below), name_(std::move(name)) {}

    Result<> open(SSL_CTX &ctx, bool insecure);
    Result<Io> handshake() override;
    Result<Io> read(std::span<char> into) override;
    Result<Io> write(std::string_view bytes) override;

private:
    static int bio_read(BIO *bio, char *into, int size);
    static int bio_write(BIO *bio, const char *bytes, int size);
    static long bio_control(BIO *bio, int command, long number, void *pointer);
    static int on_verify(int fine, X509_STORE_CTX *store);

    int moved(BIO *bio, const Result<Io> &io, int retry);
    Result<Io> settled(int returned, std::size_t bytes);
    Error broken();

    BioMethod method_;
    Session session_;
    Stream &below_;
    std::string name_;
    std::optional<Error> below_error_;
    std::string verdict_;  // why the certificate is not to be trusted
    bool below_ended_ = false;
};

OpensslStream &owner_of(BIO *bio)
{
    return *static_cast<OpensslStream *>(::BIO_get_data(bio));
}

int OpensslStream::moved(BIO *bio, const Result<Io> &io, int retry)
{
    if (!io) {
        below_error_ = io.error();
        return -1;
    }
    if (io->wants != 0) {
        ::BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
        return -1;
    }
    below_ended_ = below_ended_ || io->end;
    return static_cast<int>(io->bytes);
}

int OpensslStream::bio_read(BIO *bio, char *into, int size)
{
    ::BIO_clear_retry_flags(bio);
    OpensslStream &self = owner_of(bio);
    return self.moved(bio, self.below_.read({into, static_cast<std::size_t>(size)}),
                      BIO_FLAGS_READ);
}

int OpensslStream::bio_write(BIO *bio, const char *bytes, int size)
{
    ::BIO_clear_retry_flags(bio);
    OpensslStream &self = owner_of(bio);
    return self.moved(bio, self.below_.write({bytes, static_cast<std::size_t>(size)}),
                      BIO_FLAGS_WRITE);
}

long OpensslStream::bio_control(BIO * /*bio*/, int command, long /*number*/, void * /*pointer*/)
{
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int OpensslStream::on_verify(int fine, X509_STORE_CTX *store)
{
    if (fine == 1)
        return 1;
    const auto *ssl = static_cast<const SSL *>(
        ::X509_STORE_CTX_get_ex_data(store, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto &self = *static_cast<OpensslStream *>(::SSL_get_ex_data(ssl, 0));
    self.verdict_ = verdict_text(*store, self.name_);
    return 0;
}

Result<> OpensslStream::open(SSL_CTX &ctx, bool insecure)
{
    method_.reset(::BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream"));
    session_.reset(::SSL_new(&ctx));
    if (!method_ || !session_ || ::BIO_meth_set_read(method_.get(), bio_read) != 1 ||
        ::BIO_meth_set_write(method_.get(), bio_write) != 1 ||
        ::BIO_meth_set_ctrl(method_.get(), bio_control) != 1)
        return fail(openssl_error("set up TLS"));
    BIO *bio = ::BIO_new(method_.get());
    if (!bio)
        return fail(openssl_error("set up TLS"));
    ::BIO_set_data(bio, this);
    ::BIO_set_init(bio, 1);
    ::SSL_set_bio(session_.get(), bio, bio);  // takes it
    ::SSL_set_connect_state(session_.get());
    if (insecure) {
        if (!IpAddr::parse(name_) && !name_server(*session_, name_))
            return fail(openssl_error("name the server"));
        return {};
    }
    ::SSL_set_ex_data(session_.get(), 0, this);
    ::SSL_set_verify(session_.get(), SSL_VERIFY_PEER, on_verify);
    return expect(*session_, name_);
}

Error OpensslStream::broken()
{
    const unsigned long code = ::ERR_peek_error();
    ::ERR_clear_error();
    if (!verdict_.empty())
        return {ErrorKind::kSystem, "tls: failed to verify certificate: x509: " + verdict_};
    if (below_error_)
        return *below_error_;
    if (below_ended_)
        return {ErrorKind::kTryAgain, "EOF"};
    const int reason = ERR_GET_REASON(code);
    if (reason > kAlertReason && reason < kAlertReason + 256) {
        const char *text = ::SSL_alert_desc_string_long(reason - kAlertReason);
        return {ErrorKind::kSystem, "remote error: tls: " + std::string(text)};
    }
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
        return {ErrorKind::kSystem, "tls: first record does not look like a TLS handshake"};
    return {ErrorKind::kSystem, "tls: OpenSSL error " + std::to_string(ERR_GET_LIB(code)) + ':' +
                                    std::to_string(reason)};
}

Result<Io> OpensslStream::settled(int returned, std::size_t bytes)
{
    if (returned == 1)
        return Io{.bytes = bytes};
    switch (::SSL_get_error(session_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
        return Io{.wants = POLLIN};
    case SSL_ERROR_WANT_WRITE:
        return Io{.wants = POLLOUT};
    case SSL_ERROR_ZERO_RETURN:
        return Io{.end = true};
    default:
        return fail(broken());
    }
}

Result<Io> OpensslStream::handshake()
{
    ::ERR_clear_error();
    TORTIE_TRY(const Io io, settled(::SSL_do_handshake(session_.get()), 0));
    if (io.end)
        return fail(ErrorKind::kTryAgain, "EOF");
    return io;
}

Result<Io> OpensslStream::read(std::span<char> into)
{
    ::ERR_clear_error();
    std::size_t got = 0;
    const int returned = ::SSL_read_ex(session_.get(), into.data(), into.size(), &got);
    return settled(returned, got);
}

Result<Io> OpensslStream::write(std::string_view bytes)
{
    ::ERR_clear_error();
    std::size_t sent = 0;
    const int returned = ::SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &sent);
    return settled(returned, sent);
}

}  // namespace

struct TlsContext::Parts {
    Ctx ctx;
    std::string server_name;
    bool insecure = false;
};

TlsContext::TlsContext(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TlsContext::~TlsContext() = default;
TlsContext::TlsContext(TlsContext &&) noexcept = default;
TlsContext &TlsContext::operator=(TlsContext &&) noexcept = default;

Result<TlsContext> TlsContext::make(const Tls &tls)
{
    auto parts = std::make_unique<Parts>();
    TORTIE_TRY(parts->ctx, make_context(tls));
    parts->server_name = tls.server_name;
    parts->insecure = tls.insecure;
    return TlsContext(std::move(parts));
}

Result<std::unique_ptr<TlsStream>> TlsContext::start(const std::string &host, Stream &below) const
{
    auto stream = std::make_unique<OpensslStream>(
        below, parts_->server_name.empty() ? host : parts_->server_name);
    TORTIE_DO(stream->open(*parts_->ctx, parts_->insecure));
    return std::unique_ptr<TlsStream>(std::move(stream));
}

}  // namespace tortie::http
