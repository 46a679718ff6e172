// SPDX-License-Identifier: Apache-2.0
//
// Answers out of the bytes of a connection, one after the other. The bytes come from the network
// and may be anything.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/client.h"

namespace tortie::http {

class ResponseReader {
public:
    struct Limits {
        std::size_t header_bytes = 0;
        std::size_t body_bytes = 0;
    };

    // `answers_connect`: the one answer is that of a CONNECT, which has no body when it succeeds.
    explicit ResponseReader(Limits limits, bool answers_connect = false);
    ~ResponseReader();
    ResponseReader(const ResponseReader &) = delete;
    ResponseReader &operator=(const ResponseReader &) = delete;
    ResponseReader(ResponseReader &&) = delete;
    ResponseReader &operator=(ResponseReader &&) = delete;

    void add(std::string_view bytes);

    // The next answer, or nullopt when its bytes are not all there. Answers 1xx are passed over.
    // After an error the connection is of no use. Errors: kSystem, bounded and printable text.
    Result<std::optional<Response>> next();

    // The server closed: the answer that ends with the connection, if there is one.
    // Errors: kTryAgain "EOF" when nothing of the next answer has come, "unexpected EOF" in the
    // middle of it.
    Result<Response> at_end();

    // The last answer of next() lets the connection live.
    bool keeps_alive() const;

    // Bytes that belong to no answer yet.
    bool has_rest() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace tortie::http
