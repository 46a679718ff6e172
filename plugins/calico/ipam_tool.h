// SPDX-License-Identifier: Apache-2.0
//
// What a person asks of calico-ipam on a command line, for each of the three datastores.
#pragma once

#include <string>

#include "calico/flags.h"

namespace tortie::calico_cni {

// True when the flags ask for a tool and not for the plugin.
bool asks_for_tool(const Flags &flags);

// The exit status: 0 done, or nothing was found; 1 a check has findings left, or it failed (why
// stands on stderr); 2 the flags make no sense together.
int run_tool(const Flags &flags);

}  // namespace tortie::calico_cni
