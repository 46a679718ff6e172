// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "sys/nf_tables.h"

namespace tortie {

// Removes the rules that the Go plugin's nftables backend made for the container (tables
// `ip cni_hostport` and `ip6 cni_hostport`; the comment of its rules is the container id). Chains
// and tables stay, as with the Go plugin. Success when there is nothing.
Result<> remove_go_hostport_rules(nft::NfTables &tables, const std::string &container_id);

}  // namespace tortie
