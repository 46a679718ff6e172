// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tortie {

// SHA-1 (FIPS 180-4). For names that others compute in the same way, such as the host side of a
// Calico pod's veth; never for anything that must withstand an attacker.
std::array<std::uint8_t, 20> sha1(std::string_view data);

// The first `digits` lower-case hexadecimal digits of it, at most 40.
std::string sha1_hex(std::string_view data, std::size_t digits);

}  // namespace tortie
