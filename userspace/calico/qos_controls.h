// SPDX-License-Identifier: Apache-2.0
//
// Limits of a pod's traffic from its annotations (kubernetes.io/ingress-bandwidth,
// qos.projectcalico.org/...), as an endpoint document carries them to Felix. With Kubernetes Felix
// reads the annotations itself. Source: spec calico-cni.md 3.3 (QoS), Q11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kube/objects.h"

namespace tortie::calico {

// A JSON object, empty when nothing is limited. What makes no sense is logged and left out, what
// is out of range is logged and clamped: a pod must not fail to start for it.
std::string qos_controls_of(const kube::StringMap &annotations);

// A quantity of Kubernetes ("10M", "1.5Gi", "100m", "2e3") as a whole number, rounded up; what is
// beyond 2^63 is 2^63-1. nullopt when it is none.
std::optional<std::int64_t> parse_quantity(std::string_view text);

}  // namespace tortie::calico
