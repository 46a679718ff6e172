// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "datapath/ebpf_node.h"

namespace tortie {

// Afterwards the programs and maps of the settings' ABI are loaded and pinned, and told about this
// kernel's clock and conntrack's timeouts. The call that loads them also tells them about the pods
// that are there, and takes the place of another ABI. Costs a look at a path when they are there.
// To be called with netfilter's rules in place: they bring conntrack into the kernel.
// Errors: kUnsupported when this node cannot (no bpffs, a lockdown, a program that is refused).
Result<> ensure_ebpf_loaded(const EbpfSettings &settings);

}  // namespace tortie
