// SPDX-License-Identifier: Apache-2.0
//
// What a pod's annotations, and those of its namespace, ask of the network: read and checked as a
// whole before anything is changed. They are written by people who may not be trusted with the
// node. Source: spec calico-cni.md 3.3, Q13.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "kube/objects.h"

namespace tortie::calico {

// What the configuration allows.
struct PlanRules {
    std::string ipam_type;
    bool ip_addrs_no_ipam = false;
    bool floating_ips = false;
    bool writes_qos = false;  // endpoints are documents: Felix does not see the pod's annotations
};

struct PodPlan {
    // nullopt: as configured.
    std::optional<std::vector<std::string>> ipv4_pools;
    std::optional<std::vector<std::string>> ipv6_pools;
    std::optional<bool> assign_ipv4;
    std::optional<bool> assign_ipv6;

    std::vector<IpAddr> requested;  // these addresses, from the pools
    std::vector<IpAddr> given;      // these, and no IPAM is asked
    std::vector<IpAddr> floating;
    std::optional<std::array<std::uint8_t, 6>> mac;
    std::string mac_text;                              // as given
    std::vector<std::string> allowed_source_prefixes;  // canonical
    std::string qos_controls;                          // JSON object; empty: none
};

// Errors: kInvalidInput with upstream's texts.
Result<PodPlan> plan_of(const kube::StringMap &pod, const kube::StringMap &ns,
                        const PlanRules &rules);

}  // namespace tortie::calico
