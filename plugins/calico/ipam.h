// SPDX-License-Identifier: Apache-2.0
//
// The program `calico-ipam`: an IPAM plugin for any main plugin, and the tools of whoever keeps
// Calico's addresses in order.
// Source: spec calico-ipam-datastore.md 1.1, calico-v3.32.1.md section 2.
#pragma once

#include <span>

namespace tortie::calico_cni {

// `arguments` without argv[0]. What main() returns.
int run_ipam(std::span<const char *const> arguments);

}  // namespace tortie::calico_cni
