// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "datapath/ebpf_node.h"

namespace tortie {

// What the programs of the port mapping are doing on this node, for people: whether they are on,
// uplinks and pods with what was seen to stand in the way there, host ports, flows (the first
// hundred of them), and each count that is not 0 with its reason. One line says so when nothing is
// loaded. Reads only. Call it in the node's network namespace: devices are named.
Result<std::string> dump_ebpf(const EbpfSettings &settings);

}  // namespace tortie
