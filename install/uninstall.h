// SPDX-License-Identifier: Apache-2.0
//
// The way back, while pods run: first their host ports become rules that the Go plugin knows, then
// what the installer wrote goes, and only that.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "datapath/port_mapper.h"

namespace tortie::installer {

// Lines for people: what was done, what stays and why. Safe to run again after a kill.
// Order: BPF programs (netfilter has every port underneath), host ports, the table; then the
// network configuration, so that the runtime starts nothing new; credentials; plugins.
// Errors: what cannot be handed over stops it before a file is removed.
Result<std::vector<std::string>> uninstall(PortMapper &nftables, PortMapper &iptables);

}  // namespace tortie::installer
