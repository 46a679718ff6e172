// SPDX-License-Identifier: Apache-2.0
//
// Flows that the programs carry, and how they are given back to netfilter without losing a byte.
//
// Conntrack has not seen the packets that were carried past it, so a TCP flow that comes back is
// outside the window it remembers, and would be cut. It is told beforehand, flow by flow, to take
// any window (sys/conntrack.h). UDP and ICMP need nothing, entries are never deleted.
#pragma once

#include "base/result.h"
#include "datapath/ebpf_node.h"

namespace tortie {

// Afterwards every TCP flow that has been adopted so far may fall to netfilter at any time. What
// an earlier call has seen to is not looked at again. Costs a walk over the flow table, a
// millisecond or two, when a flow was adopted since.
Result<> mark_flows(const EbpfNode &node);

// Everything goes through netfilter from here on; the programs stay where they are and touch
// nothing.
Result<> switch_off(const EbpfNode &node);

// The programs adopt again, and look at each flow that they still know before they carry it.
void switch_on(const EbpfNode &node);

}  // namespace tortie
