// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tortie {

// SHA-512 (FIPS 180-4). For identifiers such as chain names, not for secrets: it must give the
// same names in a build whose TLS library is not linked.
std::array<std::uint8_t, 64> sha512(std::string_view data);

// The first `digits` lower-case hexadecimal digits of it, at most 128.
std::string sha512_hex(std::string_view data, std::size_t digits);

}  // namespace tortie
