// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/result.h"
#include "datapath/port_mapper.h"

namespace tortie {

// Every host port that packets follow now, whoever published it and by which backend: from
// nf_tables (tables of ours, and table nat of iptables over nf_tables). What stands in the legacy
// tables is not among them. None where the kernel has no nf_tables.
Result<std::vector<PublishedPort>> list_published_ports();

}  // namespace tortie
