// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tortie::kube {

// When a service account's token (a JWT) ends, in seconds since 1970; nullopt for any other text.
// Nothing is verified: this is for telling people why a server refused it.
std::optional<std::int64_t> token_expiry_unix_s(std::string_view token);

}  // namespace tortie::kube
