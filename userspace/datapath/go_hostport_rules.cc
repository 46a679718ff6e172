// SPDX-License-Identifier: Apache-2.0
#include "datapath/go_hostport_rules.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "sys/nf_tables_batch.h"

namespace tortie {
namespace {

constexpr std::string_view kHostports = "hostports";
constexpr std::string_view kMasquerading = "masquerading";
constexpr std::array<std::string_view, 3> kChains{kHostports, "hostip_hostports", kMasquerading};

nft::Table table_of(nft::TableFamily family)
{
    return {.family = family, .name = "cni_hostport"};
}

Result<std::size_t> remove_in(nft::NfTables &tables, const nft::Table &table,
                              const std::string &container_id)
{
    TORTIE_TRY(const auto rules, tables.rules(table));
    nft::Batch batch(table);
    std::size_t count = 0;
    for (const nft::Rule &rule : rules) {
        const bool in_chain =
            std::find(kChains.begin(), kChains.end(), rule.chain) != kChains.end();
        if (!in_chain || rule.comment != container_id)
            continue;
        batch.delete_rule(rule.chain, rule.handle);
        count++;
    }
    TORTIE_DO(tables.commit(std::move(batch)));
    return count;
}

std::ptrdiff_t mappings_of(const Publication &publication, Family family)
{
    const auto &mappings = publication.mappings;
    return std::count_if(mappings.begin(), mappings.end(), [&](const PortMapping &mapping) {
        return !mapping.host_ip || mapping.host_ip->family() == family;
    });
}

Result<> check_family(nft::NfTables &tables, const Publication &publication, Family family)
{
    const bool ipv4 = family == Family::kIpv4;
    TORTIE_TRY(const auto rules,
               tables.rules(table_of(ipv4 ? nft::TableFamily::kIpv4 : nft::TableFamily::kIpv6)));
    const auto has = [&](std::string_view chain, std::ptrdiff_t wanted) {
        return std::count_if(rules.begin(), rules.end(), [&](const nft::Rule &rule) {
                   return rule.chain == chain &&
                          rule.comment == publication.attachment.container_id;
               }) >= wanted;
    };
    const auto missing = [](std::string_view chain) {
        return fail(ErrorKind::kNotFound,
                    "missing hostport rules in \"" + std::string(chain) + "\" chain");
    };
    if (!has(kHostports, mappings_of(publication, family)))
        return missing(kHostports);
    // The container's own address, and for IPv4 127.0.0.1.
    if (publication.policy.snat && !has(kMasquerading, ipv4 ? 2 : 1))
        return missing(kMasquerading);
    return {};
}

}  // namespace

Result<> check_go_hostport_rules(nft::NfTables &tables, const Publication &publication)
{
    for (const Cidr &address : publication.addresses)
        TORTIE_DO(check_family(tables, publication, address.addr.family()));
    return {};
}

Result<std::size_t> remove_go_hostport_rules(nft::NfTables &tables, const std::string &container_id)
{
    std::size_t count = 0;
    for (const nft::TableFamily family : {nft::TableFamily::kIpv4, nft::TableFamily::kIpv6}) {
        const nft::Table table = table_of(family);
        auto removed = remove_in(tables, table, container_id);
        // Another DEL of the same container took one of the rules first.
        if (!removed && removed.error().kind() == ErrorKind::kNotFound)
            removed = remove_in(tables, table, container_id);
        if (!removed)
            return removed;
        count += *removed;
    }
    return count;
}

}  // namespace tortie
