// SPDX-License-Identifier: Apache-2.0
#include "datapath/go_hostport_rules.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "sys/nf_tables_batch.h"

namespace tortie {
namespace {

constexpr std::array<std::string_view, 3> kChains{"hostports", "hostip_hostports", "masquerading"};

Result<> remove_in(nft::NfTables &tables, const nft::Table &table, const std::string &container_id)
{
    TORTIE_TRY(const auto rules, tables.rules(table));
    nft::Batch batch(table);
    for (const nft::Rule &rule : rules) {
        const bool in_chain =
            std::find(kChains.begin(), kChains.end(), rule.chain) != kChains.end();
        if (in_chain && rule.comment == container_id)
            batch.delete_rule(rule.chain, rule.handle);
    }
    return tables.commit(std::move(batch));
}

}  // namespace

Result<> remove_go_hostport_rules(nft::NfTables &tables, const std::string &container_id)
{
    for (const nft::TableFamily family : {nft::TableFamily::kIpv4, nft::TableFamily::kIpv6}) {
        const nft::Table table{.family = family, .name = "cni_hostport"};
        auto removed = remove_in(tables, table, container_id);
        // Another DEL of the same container took one of the rules first.
        if (!removed && removed.error().kind() == ErrorKind::kNotFound)
            removed = remove_in(tables, table, container_id);
        if (!removed)
            return removed;
    }
    return {};
}

}  // namespace tortie
