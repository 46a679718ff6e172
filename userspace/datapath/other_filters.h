// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace tortie {

// The first thing on this node that may filter, mark or count packets on their way, beside the
// table that host ports are published by (`inet tortie`): a chain of nf_tables that packets enter,
// iptables' over nf_tables among them, or a legacy table in use. In words; nullopt when there is
// none, and flows may be taken from their first packet. What a chain holds does not matter: rules
// come without notice.
Result<std::optional<std::string>> find_other_filter();

}  // namespace tortie
