// SPDX-License-Identifier: Apache-2.0
#include "install/record.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "base/strings.h"
#include "install/staged_file.h"

namespace tortie::installer {
namespace {

constexpr std::string_view kHead = "tortie files 1";
constexpr std::size_t kMostBytes = 256UL * 1024;
constexpr std::size_t kHashLength = 64;

bool is_hash(std::string_view text)
{
    return text.size() == kHashLength && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

}  // namespace

std::string sha256_hex(std::string_view content)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(kHashLength);
    for (const std::uint8_t byte : sha256(content)) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

Record Record::load(const Folder &net_folder)
{
    Record record;
    const auto text = net_folder.read(kRecordName, kMostBytes);
    if (!text)
        return record;
    const std::vector<std::string_view> lines = split(*text, '\n');
    if (lines.front() != kHead)
        return record;
    for (const std::string_view line : lines) {
        const std::string_view hash = line.substr(0, kHashLength);
        if (is_hash(hash) && line.size() > kHashLength + 1 && line[kHashLength] == ' ')
            record.files_[std::string(line.substr(kHashLength + 1))].emplace(hash);
    }
    return record;
}

void Record::will_write(const std::string &name, std::string hash)
{
    files_[name].insert(hash);
    written_[name] = std::move(hash);
}

void Record::settle()
{
    for (const auto &[name, hash] : written_)
        files_[name] = {hash};
}

Result<> Record::save(const Folder &net_folder) const
{
    std::string text(kHead);
    text += '\n';
    for (const auto &[name, hashes] : files_) {
        for (const std::string &hash : hashes)
            text.append(hash).append(" ").append(name).append("\n");
    }
    return replace_file_in(net_folder, kRecordName, text, 0600);
}

}  // namespace tortie::installer
