// SPDX-License-Identifier: Apache-2.0
#include "tuning/regexp_classes.h"

#include <cstddef>
#include <utility>

namespace tortie::tuning {
namespace {

// The place of a character, ASCII by then, in a set.
std::size_t place(char c)
{
    return static_cast<unsigned char>(c);
}

}  // namespace

RegexpBytes range(char from, char to)
{
    RegexpBytes bytes;
    for (std::size_t at = place(from); at <= place(to); ++at)
        bytes.set(at);
    return bytes;
}

RegexpBytes just(char c)
{
    return range(c, c);
}

RegexpBytes any_of(std::string_view text)
{
    RegexpBytes bytes;
    for (const char c : text)
        bytes |= just(c);
    return bytes;
}

namespace {

const RegexpBytes kDigits = range('0', '9');
const RegexpBytes kLetters = range('a', 'z') | range('A', 'Z');
const RegexpBytes kWord = kDigits | kLetters | just('_');

}  // namespace

RegexpBytes word_bytes()
{
    return kWord;
}

std::optional<RegexpBytes> perl_class(char letter)
{
    switch (letter) {
    case 'd':
        return kDigits;
    case 'D':
        return ~kDigits;
    case 's':
        return any_of("\t\n\f\r ");
    case 'S':
        return ~any_of("\t\n\f\r ");
    case 'w':
        return kWord;
    case 'W':
        return ~kWord;
    default:
        return std::nullopt;
    }
}

std::optional<RegexpBytes> named_class(std::string_view name)
{
    const RegexpBytes graph = range('!', '~');
    const std::pair<std::string_view, RegexpBytes> classes[] = {
        {"alnum", kLetters | kDigits},
        {"alpha", kLetters},
        {"ascii", ~RegexpBytes()},
        {"blank", any_of("\t ")},
        {"cntrl", range('\0', '\x1f') | just('\x7f')},
        {"digit", kDigits},
        {"graph", graph},
        {"lower", range('a', 'z')},
        {"print", graph | just(' ')},
        {"punct", graph & ~(kLetters | kDigits)},
        {"space", any_of("\t\n\v\f\r ")},
        {"upper", range('A', 'Z')},
        {"word", kWord},
        {"xdigit", kDigits | range('a', 'f') | range('A', 'F')},
    };
    for (const auto &[known, bytes] : classes) {
        if (name == known)
            return bytes;
    }
    return std::nullopt;
}

std::optional<char> escaped_char(char c)
{
    constexpr std::string_view kNames = "aftnrv";
    constexpr std::string_view kValues = "\a\f\t\n\r\v";
    if (const std::size_t at = kNames.find(c); at != std::string_view::npos)
        return kValues[at];
    const bool alphanumeric = (kDigits | kLetters).test(place(c));
    return alphanumeric ? std::nullopt : std::optional(c);
}

}  // namespace tortie::tuning
