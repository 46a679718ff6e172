// SPDX-License-Identifier: Apache-2.0
#include "cni/json_text.h"

#include <charconv>
#include <cstddef>
#include <optional>

namespace tortie::cni {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::size_t kEscapeBytes = 6;  // of \u0000

// The bytes of the character that `text` begins with; 0 when it is none.
// Source: Unicode 15, table 3-7 (well-formed UTF-8).
std::size_t character_bytes(std::string_view text)
{
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = at(0);
    if (first < 0x80)
        return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    const unsigned char lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at(1) < lowest || at(1) > highest)
        return 0;
    for (std::size_t i = 2; i < length; ++i)
        if (at(i) < 0x80 || at(i) > 0xbf)
            return 0;
    return length;
}

// The number in a \u0000 that `text` begins with.
std::optional<unsigned> escaped_unit(std::string_view text)
{
    if (!text.starts_with("\\u") || text.size() < kEscapeBytes)
        return std::nullopt;
    unsigned unit = 0;
    const char *end = text.data() + kEscapeBytes;
    const auto read = std::from_chars(text.data() + 2, end, unit, 16);
    return read.ptr == end ? std::optional(unit) : std::nullopt;
}

bool is_in(std::optional<unsigned> unit, unsigned from, unsigned to)
{
    return unit && *unit >= from && *unit <= to;
}

// The part of `text`, which begins with a backslash, that is one escape; 0 for half a pair.
std::size_t escape_bytes(std::string_view text)
{
    const auto unit = escaped_unit(text);
    if (is_in(unit, 0xd800, 0xdbff) &&
        is_in(escaped_unit(text.substr(kEscapeBytes)), 0xdc00, 0xdfff))
        return 2 * kEscapeBytes;
    if (is_in(unit, 0xd800, 0xdfff))
        return 0;
    return text.size() < 2 ? 1 : 2;
}

}  // namespace

std::string with_valid_characters(std::string_view json)
{
    std::string text;
    text.reserve(json.size());
    while (!json.empty()) {
        const bool escape = json.front() == '\\';
        const std::size_t length = escape ? escape_bytes(json) : character_bytes(json);
        text += length == 0 ? kReplacement : json.substr(0, length);
        json.remove_prefix(length != 0 ? length : escape ? kEscapeBytes : 1);
    }
    return text;
}

}  // namespace tortie::cni
