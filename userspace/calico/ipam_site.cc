// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_site.h"

#include "base/file.h"
#include "base/sha512.h"
#include "base/strings.h"
#include "calico/record.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMostBytes = 4096;
constexpr std::size_t kMostOfAKind = 16;

std::string hint_file(const IpamSite &site)
{
    return meeting_folder(site) + "/hint";
}

std::vector<Cidr> cidrs_of(const Record &record, std::string_view name)
{
    std::vector<Cidr> cidrs;
    for (const std::string &text : record.all(name)) {
        if (const auto cidr = Cidr::parse(text); cidr && cidrs.size() < kMostOfAKind)
            cidrs.push_back(*cidr);
    }
    return cidrs;
}

void add_cidrs(Record &record, std::string_view name, const std::vector<Cidr> &cidrs)
{
    for (std::size_t i = 0; i < cidrs.size() && i < kMostOfAKind; ++i)
        record.add(name, cidrs[i].to_string());
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
    hint.roomy = cidrs_of(*record, "block");
    hint.everywhere = cidrs_of(*record, "pool");
    hint.pools_read_unix_s =
        parse_number<std::int64_t>(record->first("pools_read_unix_s")).value_or(0);
    hint.cooldown_s = parse_number<std::int64_t>(record->first("cooldown_s"));
    hint.cooldown_read_unix_s =
        parse_number<std::int64_t>(record->first("cooldown_read_unix_s")).value_or(0);
    return hint;
}

void write_hint(const IpamSite &site, const ipam::Hint &hint)
{
    Record record;
    add_cidrs(record, "block", hint.roomy);
    add_cidrs(record, "pool", hint.everywhere);
    record.add("pools_read_unix_s", std::to_string(hint.pools_read_unix_s));
    if (hint.cooldown_s) {
        record.add("cooldown_s", std::to_string(*hint.cooldown_s));
        record.add("cooldown_read_unix_s", std::to_string(hint.cooldown_read_unix_s));
    }
    (void)replace_file(hint_file(site), record.text(), 0600);
}

}  // namespace tortie::calico
