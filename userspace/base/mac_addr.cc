// SPDX-License-Identifier: Apache-2.0
#include "base/mac_addr.h"

#include <algorithm>

namespace tortie {
namespace {

std::optional<std::uint8_t> hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return static_cast<std::uint8_t>(c - 'A' + 10);
    return std::nullopt;
}

// Digits in groups of `group`, `separator` between the groups and nowhere else.
std::optional<MacAddr> parse_groups(std::string_view text, std::size_t group, char separator)
{
    MacAddr mac;
    std::size_t digits = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (at % (group + 1) == group) {
            if (text[at] != separator)
                return std::nullopt;
            continue;
        }
        const auto digit = hex_digit(text[at]);
        if (!digit)
            return std::nullopt;
        if (digits++ % 2 == 0)
            mac.push_back(static_cast<std::uint8_t>(*digit << 4));
        else
            mac.back() = static_cast<std::uint8_t>(mac.back() | *digit);
    }
    const bool whole = (text.size() + 1) % (group + 1) == 0;
    const bool known_length = mac.size() == 6 || mac.size() == 8 || mac.size() == 20;
    return whole && known_length ? std::optional(mac) : std::nullopt;
}

}  // namespace

std::optional<MacAddr> parse_mac(std::string_view text)
{
    if (text.size() > 2 && (text[2] == ':' || text[2] == '-'))
        return parse_groups(text, 2, text[2]);
    return parse_groups(text, 4, '.');
}

std::string print_mac(std::span<const std::uint8_t> mac)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : mac) {
        if (!text.empty())
            text += ':';
        text += {kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return text;
}

bool is_same_mac(const MacAddr &wanted, const MacAddr &have)
{
    return !have.empty() && wanted.size() >= have.size() &&
           std::equal(have.begin(), have.end(), wanted.begin());
}

}  // namespace tortie
