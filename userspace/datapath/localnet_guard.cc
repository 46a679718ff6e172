// SPDX-License-Identifier: Apache-2.0
#include "datapath/localnet_guard.h"

#include "datapath/nftables_layout.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {
namespace {

Result<> ensure_once(nft::NfTables &tables)
{
    TORTIE_TRY(const std::uint32_t generation, tables.generation());
    TORTIE_TRY(const LayoutState layout, LayoutState::read(tables));
    if (layout.has_guard())
        return {};
    nft::Batch batch(tortie_table(), generation);
    layout.add_guard(batch);
    return tables.commit(std::move(batch));
}

}  // namespace

Result<> ensure_localnet_guard()
{
    TORTIE_TRY(nft::NfTables tables, nft::NfTables::open());
    return nft::until_undisturbed([&] { return ensure_once(tables); });
}

}  // namespace tortie
