// SPDX-License-Identifier: Apache-2.0
//
// The program `calico`: the main plugin, and what can be asked of it without a runtime.
//   -v   its version
//   -t   whether the datastore of the configuration on stdin can be reached
// Source: spec calico-cni.md 2.1, 2.5; calico-v3.32.1.md section 2.
#pragma once

#include <span>

namespace tortie::calico_cni {

// `arguments` without argv[0]. What main() returns.
int run_calico(std::span<const char *const> arguments);

}  // namespace tortie::calico_cni
