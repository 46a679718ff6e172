// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/result.h"
#include "datapath/port_board.h"
#include "datapath/port_mapper.h"
#include "sys/nf_tables.h"

namespace tortie {

// Whether table `inet tortie` has all that packets to the claims of `attachment` at `sites` need:
// rules, the claims themselves, active or waiting, and the masquerading of those that are active.
// Errors: kNotFound naming the first thing that is missing.
Result<> check_claims(nft::NfTables &tables, const Attachment &attachment,
                      const std::vector<ClaimSite> &sites);

}  // namespace tortie
