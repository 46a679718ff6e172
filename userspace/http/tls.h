// SPDX-License-Identifier: Apache-2.0
//
// TLS 1.2 and 1.3 over another stream: the one owner of OpenSSL. Nothing is read from the node's
// openssl.cnf: a provider module named there would be loaded into a static program and crash it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "http/client.h"
#include "http/stream.h"

namespace tortie::http {

class TlsStream : public Stream {
public:
    // One step; done when `wants` is 0. Errors: kSystem with Go's words for a certificate that
    // is not to be trusted, kTryAgain for a connection that broke.
    virtual Result<Io> handshake() = 0;
};

// What is the same for every connection to a server: whom to trust, what to show.
class TlsContext {
public:
    // Errors: kInvalidInput when certificates or keys are not PEM or do not belong together.
    static Result<TlsContext> make(const Tls &tls);

    ~TlsContext();
    TlsContext(TlsContext &&) noexcept;
    TlsContext &operator=(TlsContext &&) noexcept;
    TlsContext(const TlsContext &) = delete;
    TlsContext &operator=(const TlsContext &) = delete;

    // A stream that is about to shake hands with the server called `host`, whose certificate must
    // name it (or `Tls::server_name`). `below` must outlive it.
    Result<std::unique_ptr<TlsStream>> start(const std::string &host, Stream &below) const;

private:
    struct Parts;
    explicit TlsContext(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace tortie::http
