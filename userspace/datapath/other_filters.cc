// SPDX-License-Identifier: Apache-2.0
#include "datapath/other_filters.h"

#include "base/file.h"
#include "base/strings.h"
#include "datapath/nftables_layout.h"
#include "sys/nf_tables.h"

namespace tortie {
namespace {

constexpr std::size_t kMaxNamesBytes = 4096;

// Names of legacy tables; none where the kernel has no such file.
std::string legacy_tables(const char *path)
{
    const auto names = read_file(path, kMaxNamesBytes);
    if (!names && names.error().kind() != ErrorKind::kNotFound)
        return path;  // cannot be told: somebody may be there
    return names ? std::string(trim(*names)) : std::string();
}

}  // namespace

Result<std::optional<std::string>> find_other_filter()
{
    for (const char *path : {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"})
        if (const std::string tables = legacy_tables(path); !tables.empty())
            return "legacy table in use: " + std::string(words(tables)[0]);
    auto tables = nft::NfTables::open();
    if (!tables && tables.error().kind() == ErrorKind::kUnsupported)
        return std::nullopt;
    if (!tables)
        return fail(std::move(tables).error());
    const nft::Table own = tortie_table();
    TORTIE_TRY(const auto chains, tables->hooked_chains());
    for (const auto &chain : chains)
        if (chain.family != own.family || chain.table != own.name)
            return "chain " + chain.chain + " of nf_tables' table " + chain.table;
    return std::nullopt;
}

}  // namespace tortie
