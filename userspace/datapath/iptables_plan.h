// SPDX-License-Identifier: Apache-2.0
//
// What to tell iptables-restore, from what iptables-save said. Pure: no child, no kernel.
//
// A plan touches a container's own chain and its jumps, and the shared chains where they lack
// something. `:CHAIN` empties a chain that exists, so it stands only before chains that the plan
// fills again; CNI-HOSTPORT-DNAT holds everybody's jumps and is made by -N instead. That fails
// when a Go plugin was faster by a hair, and failing beats emptying it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "datapath/hostport_chains.h"
#include "datapath/port_mapper.h"
#include "sys/iptables.h"

namespace tortie {

// Input for iptables-restore that publishes for the address `cidr`; empty when everything is there
// already. An attachment that is published keeps its place before and behind the others.
// Errors: kInvalidInput for conditions that cannot be written.
Result<std::string> plan_publish(const SavedNat &saved, const Publication &publication,
                                 const Cidr &cidr);

// Input that removes the chains, found in `saved`, and the jumps to them; empty for none.
std::string plan_withdraw(const SavedNat &saved, std::span<const HostportChain> chains);

// What a chain publishes.
std::vector<PublishedPort> ports_of(const SavedNat &saved, std::string_view chain);

// The host ports of `publication` that another container's chain already publishes.
struct HeldPort {
    PublishedPort port;
    std::string container_id;  // as far as its comment tells
};
std::vector<HeldPort> held_by_others(const SavedNat &saved, const Publication &publication,
                                     Family family);

// The first thing that is missing, in the Go plugin's words; empty when `saved` is complete.
// Jumps with conditions are not looked at: the tool prints those in words of its own.
Result<std::string> missing_from(const SavedNat &saved, const Publication &publication,
                                 const Cidr &cidr);

// Input that changes nothing and fails unless the jumps with conditions are there.
Result<std::string> check_input(const Publication &publication, Family family);

bool has_conditions(const Publication &publication, Family family);

}  // namespace tortie
