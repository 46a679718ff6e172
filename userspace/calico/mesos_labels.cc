// SPDX-License-Identifier: Apache-2.0
#include "calico/mesos_labels.h"

namespace tortie::calico {
namespace {

bool may_stay(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

// Slashes are dots; each run of other strangers is one dash.
std::string without_strangers(std::string_view text)
{
    std::string out;
    bool in_run = false;
    for (char c : text) {
        c = c == '/' ? '.' : c;
        if (may_stay(c))
            out += c;
        else if (!in_run)
            out += '-';
        in_run = !may_stay(c);
    }
    return out;
}

// Each run of dots and dashes with a dot in it is one dot.
std::string with_single_dots(std::string_view text)
{
    constexpr std::string_view kSeparators = ".-";
    std::string out;
    while (!text.empty()) {
        const std::size_t length = std::min(text.find_first_not_of(kSeparators), text.size());
        const std::string_view run = text.substr(0, length);
        out += run.find('.') == std::string_view::npos ? run : ".";
        text.remove_prefix(length);
        const std::size_t plain = std::min(text.find_first_of(kSeparators), text.size());
        out += text.substr(0, plain);
        text.remove_prefix(plain);
    }
    return out;
}

}  // namespace

std::string sanitised_mesos_label(std::string_view text)
{
    const std::string dotted = with_single_dots(without_strangers(text));
    const std::size_t first = dotted.find_first_not_of(".-");
    if (first == std::string::npos)
        return "";
    return dotted.substr(first, dotted.find_last_not_of(".-") - first + 1);
}

}  // namespace tortie::calico
