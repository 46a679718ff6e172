// SPDX-License-Identifier: Apache-2.0
//
// What another program that manages addresses is told: the runtime's own configuration, with what
// annotations and Kubernetes add to it. Source: spec calico-cni.md 3.3, 3.4.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "calico/call.h"
#include "calico/pod_plan.h"
#include "cni/skel.h"

namespace tortie::calico_cni {

// For ADD: node's CIDRs for host-local, pools and families of the pod for calico-ipam, the known
// subnet for Azure. Errors: kInvalidInput with upstream's texts.
Result<cni::Request> delegated_add(const Call &call, std::span<const std::string> pod_cidrs,
                                   const calico::PodPlan &plan);

// For DEL; nullopt when nothing was given out, so that the program need not be run (Azure).
Result<std::optional<cni::Request>> delegated_del(const Call &call);

// The environment with IP=<address> behind the other CNI_ARGS.
std::vector<std::string> with_requested_address(std::vector<std::string> environment,
                                                const IpAddr &ip);

// What Azure's IPAM must be told later: its subnet, and the container's addresses on DEL. What
// cannot be stored is logged.
void remember_azure(const Call &call, std::span<const Cidr> addresses);
void forget_azure(const Call &call);

}  // namespace tortie::calico_cni
