// SPDX-License-Identifier: Apache-2.0
//
// What Calico does to the configuration of host-local before it hands it on: the words
// "usePodCidr" and "usePodCidrIPv6" become the CIDRs that Kubernetes has given to the node.
// Source: spec calico-cni.md 3.4.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "cni/json.h"

namespace tortie::calico_cni {

// Whether one of the words stands there. Errors: kInvalidInput for a section of a wrong type.
Result<bool> uses_pod_cidrs(const cni::Json &config);

// The configuration with the node's CIDRs. Errors: kInvalidInput with upstream's texts.
Result<cni::Json> with_pod_cidrs(const cni::Json &config, const std::string &node,
                                 std::span<const std::string> pod_cidrs);

// The configuration with 0.0.0.0/0 and ::/0: a release does not look at them, and DEL must not
// depend on an API server.
Result<cni::Json> with_any_cidrs(const cni::Json &config);

// The destinations in ipam.routes, for the pod; empty when there are none.
// Errors: kInvalidInput with upstream's texts.
Result<std::vector<Cidr>> host_local_routes(const cni::Json &config);

}  // namespace tortie::calico_cni
