// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "datapath/port_mapper.h"
#include "sys/nf_tables.h"

namespace tortie {

// Removes the rules that the Go plugin's nftables backend made for the container (tables
// `ip cni_hostport` and `ip6 cni_hostport`; the comment of its rules is the container id). Chains
// and tables stay, as with the Go plugin. Returns how many rules there were.
Result<std::size_t> remove_go_hostport_rules(nft::NfTables &tables,
                                             const std::string &container_id);

// Whether they are there, as far as the Go plugin's own CHECK looks: as many rules of the container
// as its mappings need. A node that was upgraded with pods running has them until the pods go.
// Errors: kNotFound with the Go plugin's text.
Result<> check_go_hostport_rules(nft::NfTables &tables, const Publication &publication);

}  // namespace tortie
