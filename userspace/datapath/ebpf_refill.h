// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "datapath/ebpf_node.h"

namespace tortie {

// Afterwards the programs know every pod that netfilter publishes ports for and that they may
// carry: those that were there before the programs. Their flows are adopted, never taken from the
// first packet: what the rules stand for is not known in full. Pods that are known are left as they
// are.
Result<> refill(EbpfNode &node);

// Takes the place of the other ABIs that are loaded: their flows may fall to netfilter, their
// programs are replaced by these wherever they are attached, and what was pinned is gone.
Result<> replace_other_abis(EbpfNode &node, const PinRoot &root, unsigned own_abi);

}  // namespace tortie
