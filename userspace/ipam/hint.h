// SPDX-License-Identifier: Apache-2.0
//
// What one process may tell the next on the same node to save it requests. Never trusted: a wrong
// hint costs a request more and changes no outcome. The caller keeps it, or not.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip_addr.h"

namespace tortie::ipam {

struct Hint {
    // Affine blocks that had room after the last allocation, the latest first; at most one of each
    // family is read ahead.
    std::vector<Cidr> roomy;

    // The configured cooldown and when it was read, seconds of the wall clock. DEL may go by it
    // for kCooldownHintAge instead of reading the configuration.
    std::optional<std::int64_t> cooldown_s;
    std::int64_t cooldown_read_unix_s = 0;

    // Pools that selected every node when they were last read: a block of one that becomes empty
    // need not be given up. Good for kPoolHintAge.
    std::vector<Cidr> everywhere;
    std::int64_t pools_read_unix_s = 0;

    friend bool operator==(const Hint &, const Hint &) = default;
};

inline constexpr std::chrono::seconds kCooldownHintAge{600};
inline constexpr std::chrono::seconds kPoolHintAge{30};

// The cooldown of `hint` when it is young enough at `now_unix_s`.
inline std::optional<std::int64_t> known_cooldown(const Hint &hint, std::int64_t now_unix_s)
{
    const std::int64_t age = now_unix_s - hint.cooldown_read_unix_s;
    if (!hint.cooldown_s || age < 0 || age > kCooldownHintAge.count())
        return std::nullopt;
    return hint.cooldown_s;
}

inline std::vector<Cidr> known_everywhere(const Hint &hint, std::int64_t now_unix_s)
{
    const std::int64_t age = now_unix_s - hint.pools_read_unix_s;
    return age < 0 || age > kPoolHintAge.count() ? std::vector<Cidr>() : hint.everywhere;
}

}  // namespace tortie::ipam
