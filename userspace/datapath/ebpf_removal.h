// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "loader/pins.h"

namespace tortie {

// Afterwards no program of ours is attached anywhere on the node, of whatever ABI, and nothing of
// ours is pinned; netfilter carries every host port, and flows that live go on there without losing
// a byte (ebpf_flows.h): for uninstalling, or when the datapath is no longer wanted. Success when
// there was nothing. Privileges: those of loading.
Result<> remove_ebpf(const PinPlaces &places = {});

}  // namespace tortie
