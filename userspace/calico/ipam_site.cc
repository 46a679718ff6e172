// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_site.h"

#include "base/file.h"
#include "base/sha512.h"
#include "base/strings.h"
#include "calico/record.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMostBytes = 4096;
constexpr std::size_t kMostBlocks = 16;

std::string hint_file(const IpamSite &site)
{
    return meeting_folder(site) + "/hint";
}

}  // namespace

std::string meeting_folder(const IpamSite &site)
{
    return site.run_folder + '/' +
           sha512_hex(site.store + '\n' + site.node + '\n' + site.lock_file, 32);
}

ipam::Hint read_hint(const IpamSite &site)
{
    ipam::Hint hint;
    const auto text = read_file(hint_file(site), kMostBytes);
    if (!text)
        return hint;
    const auto record = Record::parse(*text);
    if (!record)
        return hint;
    for (const std::string &block : record->all("block")) {
        if (const auto cidr = Cidr::parse(block); cidr && hint.roomy.size() < kMostBlocks)
            hint.roomy.push_back(*cidr);
    }
    hint.cooldown_s = parse_number<std::int64_t>(record->first("cooldown_s"));
    hint.cooldown_read_unix_s =
        parse_number<std::int64_t>(record->first("cooldown_read_unix_s")).value_or(0);
    return hint;
}

void write_hint(const IpamSite &site, const ipam::Hint &hint)
{
    Record record;
    for (std::size_t i = 0; i < hint.roomy.size() && i < kMostBlocks; ++i)
        record.add("block", hint.roomy[i].to_string());
    if (hint.cooldown_s) {
        record.add("cooldown_s", std::to_string(*hint.cooldown_s));
        record.add("cooldown_read_unix_s", std::to_string(hint.cooldown_read_unix_s));
    }
    (void)replace_file(hint_file(site), record.text(), 0600);
}

}  // namespace tortie::calico
