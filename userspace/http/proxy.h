// SPDX-License-Identifier: Apache-2.0
//
// Which proxy a server is reached through: what the environment says, read as Go's net/http does.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/client.h"

namespace tortie::http {

// The value of an environment variable, nullptr when it is not set.
using GetEnv = std::function<const char *(const char *name)>;

// HTTPS_PROXY or HTTP_PROXY by the server's kind (then the names in lower case), unless NO_PROXY
// names the host, or it is this machine: "localhost" and loopback addresses are never proxied.
// NO_PROXY holds addresses, CIDRs, names ("a.b" and everything below it, ".a.b" only what is
// below it), each with a port or without, or "*".
// Errors: kInvalidInput for a proxy that is none, kUnsupported for socks5.
Result<std::optional<Proxy>> proxy_from_environment(const GetEnv &get_env, const Server &server);

// One proxy by its URL: http, https; without a scheme it is http.
Result<Proxy> parse_proxy(std::string_view url);

}  // namespace tortie::http
