// SPDX-License-Identifier: Apache-2.0
#include "base/base32.h"

#include <string_view>

namespace tortie {

std::string base32_encode(std::span<const std::uint8_t> bytes)
{
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string text;
    text.reserve(bytes.size() * 8 / 5 + 1);
    unsigned waiting = 0;
    unsigned bits = 0;
    for (const std::uint8_t byte : bytes) {
        waiting = (waiting << 8 | byte) & 0xfffU;
        for (bits += 8; bits >= 5; bits -= 5)
            text += kDigits[waiting >> (bits - 5) & 31U];
    }
    if (bits > 0)
        text += kDigits[waiting << (5 - bits) & 31U];
    return text;
}

std::string hex_encode(std::span<const std::uint8_t> bytes)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15U];
    }
    return text;
}

}  // namespace tortie
