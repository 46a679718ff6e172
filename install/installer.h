// SPDX-License-Identifier: Apache-2.0
//
// `install` without a sub-command: the plugins, their credentials and their configuration onto the
// node. Everything that can be refused is refused before anything is changed; the configuration
// comes last, because kubelet calls the node ready when it sees it.
#pragma once

#include "base/result.h"
#include "install/conflist.h"
#include "install/settings.h"
#include "kube/kubeconfig.h"

namespace tortie::installer {

constexpr const char *kNetFolder = "/host/etc/cni/net.d";

// Returns when the node is installed; with SLEEP=true it then keeps credentials fresh until a
// signal ends the process. Errors: one text for the log, with file and cure, and no secret in it.
Result<> install(EntryPoint entry_point, const kube::GetEnv &get_env);

}  // namespace tortie::installer
