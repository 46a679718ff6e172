// SPDX-License-Identifier: Apache-2.0
//
// Times as Calico's documents write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tortie::ipam {

std::int64_t unix_now_s();
std::int64_t unix_now_ns();

// "2026-08-22T10:11:12Z".
std::string rfc3339(std::int64_t unix_s);

// Seconds since 1970; fractions are cut, offsets obeyed. nullopt: no such time.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace tortie::ipam
