// SPDX-License-Identifier: Apache-2.0
#include "calico/record.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "base/sha512.h"

namespace tortie::calico {
namespace {

constexpr std::string_view kHead = "tortie 1\n";
constexpr std::string_view kEnd = "end ";
constexpr std::size_t kChecksumDigits = 16;
constexpr std::size_t kMostValues = 4096;

bool is_name(std::string_view text)
{
    return !text.empty() && text != "end" && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

void append_escaped(std::string &text, std::string_view value)
{
    for (const char c : value) {
        if (c == '\n')
            text += "\\n";
        else if (c == '\\')
            text += "\\\\";
        else
            text += c;
    }
}

std::optional<std::string> unescape(std::string_view text)
{
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            value += text[i];
            continue;
        }
        if (++i == text.size() || (text[i] != 'n' && text[i] != '\\'))
            return std::nullopt;
        value += text[i] == 'n' ? '\n' : '\\';
    }
    return value;
}

// What stands between head and checksum.
std::optional<std::string_view> checked_body(std::string_view text)
{
    const std::size_t tail = kEnd.size() + kChecksumDigits + 1;
    if (!text.starts_with(kHead) || text.size() < kHead.size() + tail || text.back() != '\n')
        return std::nullopt;
    const std::string_view covered = text.substr(0, text.size() - tail);
    const std::string_view last = text.substr(covered.size());
    if (!last.starts_with(kEnd) ||
        last.substr(kEnd.size(), kChecksumDigits) != sha512_hex(covered, kChecksumDigits))
        return std::nullopt;
    return covered.substr(kHead.size());
}

}  // namespace

Record &Record::add(std::string_view name, std::string_view value)
{
    assert(is_name(name));
    values_.emplace_back(name, value);
    return *this;
}

const std::string &Record::first(std::string_view name) const
{
    static const std::string none;
    const auto found = std::find_if(values_.begin(), values_.end(),
                                    [&](const auto &value) { return value.first == name; });
    return found == values_.end() ? none : found->second;
}

std::vector<std::string> Record::all(std::string_view name) const
{
    std::vector<std::string> found;
    for (const auto &[key, value] : values_) {
        if (key == name)
            found.push_back(value);
    }
    return found;
}

std::string Record::text() const
{
    std::string text(kHead);
    for (const auto &[name, value] : values_) {
        text += name;
        text += ' ';
        append_escaped(text, value);
        text += '\n';
    }
    const std::string checksum = sha512_hex(text, kChecksumDigits);
    text += kEnd;
    text += checksum;
    text += '\n';
    return text;
}

Result<Record> Record::parse(std::string_view text)
{
    const auto refuse = [] { return fail(ErrorKind::kInvalidInput, "not a whole record"); };
    auto body = checked_body(text);
    if (!body)
        return refuse();
    Record record;
    while (!body->empty()) {
        const std::size_t line_end = body->find('\n');
        if (line_end == std::string_view::npos || record.values_.size() == kMostValues)
            return refuse();
        const std::string_view line = body->substr(0, line_end);
        body->remove_prefix(line_end + 1);
        const std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos || !is_name(line.substr(0, blank)))
            return refuse();
        auto value = unescape(line.substr(blank + 1));
        if (!value)
            return refuse();
        record.values_.emplace_back(line.substr(0, blank), *std::move(value));
    }
    return record;
}

}  // namespace tortie::calico
