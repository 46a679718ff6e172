// SPDX-License-Identifier: Apache-2.0
#include "kube/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include "kube/yaml.h"

namespace tortie::kube {
namespace {

constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                    "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",  "No",  "NO", "false",
                                                     "False", "FALSE", "off", "Off", "OFF"};

template <class List>
bool is_one_of(std::string_view text, const List &list)
{
    return std::find(list.begin(), list.end(), text) != list.end();
}

std::optional<std::uint64_t> unsigned_number(std::string_view digits, int base)
{
    std::uint64_t value = 0;
    const char *end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
    if (digits.empty() || error != std::errc() || stop != end)
        return std::nullopt;
    return value;
}

// 12, -3, +7, 0x1f, 0o17 and, in YAML 1.1, 017.
std::optional<std::string> integer(std::string_view text)
{
    const bool negative = text.starts_with('-');
    std::string_view digits = text;
    if (negative || text.starts_with('+'))
        digits.remove_prefix(1);
    int base = 10;
    std::size_t prefix = 0;
    if (digits.starts_with("0x") || digits.starts_with("0X"))
        base = 16, prefix = 2;
    else if (digits.starts_with("0o"))
        base = 8, prefix = 2;
    else if (digits.starts_with("0b"))
        base = 2, prefix = 2;
    else if (digits.size() > 1 && digits.starts_with('0'))
        base = 8, prefix = 1;
    const auto value = unsigned_number(digits.substr(prefix), base);
    if (!value)
        return std::nullopt;
    return (negative && *value != 0 ? "-" : "") + std::to_string(*value);
}

// Digits, at most one dot, an exponent behind them.
bool looks_like_a_real(std::string_view text)
{
    if (text.starts_with('-') || text.starts_with('+'))
        text.remove_prefix(1);
    const std::size_t exponent = text.find_first_of("eE");
    std::string_view digits = text.substr(0, exponent);
    const std::size_t dot = digits.find('.');
    if (exponent == std::string_view::npos && dot == std::string_view::npos)
        return false;
    return digits.find_first_not_of("0123456789.") == std::string_view::npos &&
           digits.find_first_of("0123456789") != std::string_view::npos &&
           (dot == std::string_view::npos || digits.find('.', dot + 1) == std::string_view::npos);
}

std::optional<std::string> real(std::string_view text)
{
    if (!looks_like_a_real(text))
        return std::nullopt;
    if (text.starts_with('+'))
        text.remove_prefix(1);
    double value = 0;
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || !std::isfinite(value))
        return std::nullopt;
    std::array<char, 40> printed{};
    const auto shortest = std::to_chars(printed.data(), printed.data() + printed.size(), value);
    return std::string(printed.data(), shortest.ptr);
}

}  // namespace

std::string plain_scalar(std::string_view text)
{
    if (is_one_of(text, kNull))
        return "null";
    if (is_one_of(text, kTrue))
        return "true";
    if (is_one_of(text, kFalse))
        return "false";
    if (auto number = integer(text))
        return *std::move(number);
    if (auto number = real(text))
        return *std::move(number);
    return json_text(text);
}

}  // namespace tortie::kube
