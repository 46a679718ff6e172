// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tortie {

using MacAddr = std::vector<std::uint8_t>;  // of any type of link
using EtherAddr = std::array<std::uint8_t, 6>;

// EUI-48, EUI-64 or a 20-byte InfiniBand address as 00:00:5e:00:53:01, 00-00-5e-00-53-01 or
// 0000.5e00.5301, in any case. nullopt for anything else.
std::optional<MacAddr> parse_mac(std::string_view text);

// Colons and lower case.
std::string print_mac(std::span<const std::uint8_t> mac);

// Whether a link that was given `wanted` may show `have`: the kernel takes as many bytes as the
// type of link has and drops the rest.
bool is_same_mac(const MacAddr &wanted, const MacAddr &have);

}  // namespace tortie
