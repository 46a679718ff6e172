// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tortie {

// SHA-256 (FIPS 180-4) and SHA3-256 (FIPS 202). For identifiers such as object names and labels,
// not for secrets: they must give the same in a build whose TLS library is not linked.
std::array<std::uint8_t, 32> sha256(std::string_view data);
std::array<std::uint8_t, 32> sha3_256(std::string_view data);

}  // namespace tortie
