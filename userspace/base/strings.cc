// SPDX-License-Identifier: Apache-2.0
#include "base/strings.h"

#include <algorithm>

namespace tortie {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return parts;
        text.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> words(std::string_view text)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t start = text.find_first_not_of(kWhiteSpace);
        if (start == std::string_view::npos)
            return parts;
        text.remove_prefix(start);
        const std::size_t end = std::min(text.find_first_of(kWhiteSpace), text.size());
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

std::string_view trim(std::string_view text)
{
    const std::size_t start = text.find_first_not_of(kWhiteSpace);
    if (start == std::string_view::npos)
        return {};
    return text.substr(start, text.find_last_not_of(kWhiteSpace) - start + 1);
}

std::string join(std::span<const std::string> parts, std::string_view separator)
{
    std::string text;
    for (const std::string &part : parts) {
        if (&part != parts.data())
            text += separator;
        text += part;
    }
    return text;
}

std::string go_quoted(std::string_view text)
{
    constexpr std::string_view kNamed = "\a\b\t\n\v\f\r";
    std::string quoted = "\"";
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (const std::size_t at = kNamed.find(c); at != std::string_view::npos) {
            quoted += {'\\', "abtnvfr"[at]};
        } else if (u < ' ' || u == 0x7f) {
            constexpr std::string_view kDigits = "0123456789abcdef";
            quoted += {'\\', 'x', kDigits[u >> 4], kDigits[u & 15]};
        } else {
            if (c == '"' || c == '\\')
                quoted += '\\';
            quoted += c;
        }
    }
    return quoted + '"';
}

std::string ascii_lower(std::string_view text)
{
    std::string out(text);
    for (char &c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

bool equals_ignore_case(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace tortie
