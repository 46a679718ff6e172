// SPDX-License-Identifier: Apache-2.0
//
// Conntrack entries that would keep sending a host port's packets where they no longer belong.
#pragma once

#include <vector>

#include "datapath/port_mapper.h"

namespace tortie::portmap {

// After ADD: forgets UDP flows to the published ports that lead anywhere but to the container,
// except those to ports that `held` says somebody else keeps. Flows to addresses that are not of
// this node, or not the hostIP, are no concern of the mapping. A failure is only logged.
void forget_stale_udp_flows(const Publication &publication, const std::vector<PublishedPort> &held);

// After DEL: forgets the flows of every protocol that lead through a removed port to its target. A
// client that comes back with the same four numbers would otherwise be sent to a dead container. A
// failure is only logged.
void forget_flows_of(const std::vector<PublishedPort> &removed);

}  // namespace tortie::portmap
