// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "store/documents.h"

namespace tortie::calico {

// The profile of a network that manages its own (policy.type ""): everything may leave, and what
// may enter comes from members of the same network, or from everywhere for pods. Created once and
// never updated. Source: spec calico-cni.md 3.7.
store::Profile network_profile(std::string_view network, bool for_pods);

}  // namespace tortie::calico
