// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <cstdint>

namespace tortie {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// -1 for what is not in the alphabet.
int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

}  // namespace

std::string base64_encode(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::string_view group = bytes.substr(at, 3);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i)
            bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i)
            out += i <= group.size() ? kAlphabet[bits >> (18 - 6 * i) & 63U] : '=';
    }
    return out;
}

std::optional<std::string> base64_decode(std::string_view text)
{
    std::string out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    unsigned digits = 0;   // of the group at hand
    unsigned padding = 0;  // '=' of the last group
    for (const char c : text) {
        if (c == '\n' || c == '\r')
            continue;
        if (c == '=' && digits + padding < 4 && digits >= 2) {
            ++padding;
            continue;
        }
        const int value = digit(c);
        if (value < 0 || padding > 0)
            return std::nullopt;
        if (digits == 4) {
            digits = 0;
            bits = 0;
        }
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        if (++digits < 4)
            continue;
        out += static_cast<char>(bits >> 16 & 0xff);
        out += static_cast<char>(bits >> 8 & 0xff);
        out += static_cast<char>(bits & 0xff);
    }
    if (digits == 4 || (digits == 0 && padding == 0))
        return padding == 0 ? std::optional(out) : std::nullopt;
    if (digits + padding != 4)
        return std::nullopt;
    // Two digits hold one byte, three hold two; what is left over must be zero bits or not, as in
    // Go, which does not look at them.
    if (digits == 2) {
        out += static_cast<char>(bits >> 4 & 0xff);
    } else {
        out += static_cast<char>(bits >> 10 & 0xff);
        out += static_cast<char>(bits >> 2 & 0xff);
    }
    return out;
}

}  // namespace tortie
