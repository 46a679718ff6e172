// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tortie {

// RFC 4648 section 4, padded.
std::string base64_encode(std::string_view bytes);

// The same way back, line breaks in between ignored as Go does. nullopt: another character,
// wrong padding, or something behind it.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace tortie
