// SPDX-License-Identifier: Apache-2.0
//
// Addresses of servers and proxies, as kubeconfig files and environments hold them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie::http {

struct Url {
    std::string scheme;     // lower case: "https", "http", "socks5"
    std::string user_info;  // "user:password", percent-decoded; empty: none. A secret
    std::string host;       // lower case, no brackets
    std::uint16_t port = 0;
    std::string path;  // "", or "/" and more; no slash at the end

    // "10.0.0.1:6443", "[fd00::1]:6443", as Go prints it.
    std::string address() const;
};

// A scheme, "://" and a host are required; the port is that of the scheme when it is missing
// (1080 for socks5). Query and fragment are refused. Errors: kInvalidInput, without the text when
// it holds a password.
Result<Url> parse_url(std::string_view text);

// "[fd00::1]:443", "name:443".
std::string join_host_port(std::string_view host, std::uint16_t port);

// For one segment of a path or a value of a query: everything but unreserved characters as %XX
// (RFC 3986 section 2.3).
std::string percent_encoded(std::string_view text);

}  // namespace tortie::http
