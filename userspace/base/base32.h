// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tortie {

// RFC 4648 section 6, upper case, without padding.
std::string base32_encode(std::span<const std::uint8_t> bytes);

// Two lower-case digits a byte.
std::string hex_encode(std::span<const std::uint8_t> bytes);

}  // namespace tortie
