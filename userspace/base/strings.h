// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tortie {

// "a::b" at ':' is {"a", "", "b"}; an empty text is {""}. The pieces point into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

// At runs of white space, none of it in the pieces; an empty text is {}.
std::vector<std::string_view> words(std::string_view text);

// Without ASCII white space at both ends.
std::string_view trim(std::string_view text);

std::string join(std::span<const std::string> parts, std::string_view separator);

// In double quotes, as Go's %q prints it: quotes and backslashes escaped, control characters and
// DEL as \n, \x07 and so on; bytes from 0x80 are left as they are.
std::string go_quoted(std::string_view text);

// A to Z as a to z, everything else as it is.
std::string ascii_lower(std::string_view text);

// ASCII only, like the key matching of Go's JSON for the keys that we know.
bool equals_ignore_case(std::string_view a, std::string_view b);

// The whole text, decimal digits (and a minus for signed types) only, in range of T.
template <class T>
std::optional<T> parse_number(std::string_view text)
{
    T value{};
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end)
        return std::nullopt;
    return value;
}

}  // namespace tortie
