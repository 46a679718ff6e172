// SPDX-License-Identifier: Apache-2.0
#include "kube/json_token.h"

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/strings.h"

namespace tortie::kube {
namespace {

// base64url without padding (RFC 7515 section 2).
std::optional<std::string> decoded(std::string_view text)
{
    std::string plain(text);
    std::replace(plain.begin(), plain.end(), '-', '+');
    std::replace(plain.begin(), plain.end(), '_', '/');
    plain.append((4 - plain.size() % 4) % 4, '=');
    return base64_decode(plain);
}

}  // namespace

std::optional<std::int64_t> token_expiry_unix_s(std::string_view token)
{
    const auto parts = split(token, '.');
    if (parts.size() != 3)
        return std::nullopt;
    const auto claims = decoded(parts[1]);
    if (!claims)
        return std::nullopt;
    const auto json = nlohmann::json::parse(*claims, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("exp") || !json["exp"].is_number())
        return std::nullopt;
    const double seconds = json["exp"].get<double>();
    constexpr double kYear10000 = 253402300800;
    if (!(seconds >= 0 && seconds < kYear10000))
        return std::nullopt;
    return static_cast<std::int64_t>(seconds);
}

}  // namespace tortie::kube
