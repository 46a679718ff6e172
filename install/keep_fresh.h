// SPDX-License-Identifier: Apache-2.0
//
// SLEEP=true: the installer stays and writes what is renewed elsewhere to the node: etcd's
// certificates when their secret changes, the plugins' token before it ends.
#pragma once

#include <chrono>

#include "install/settings.h"
#include "kube/kubeconfig.h"

namespace tortie::installer {

struct Freshness {
    bool in_pod = false;                // there is a token to renew
    std::chrono::seconds token_life{};  // 0: not known
};

// Does not return: a signal ends the process. Failures are logged and tried again; times are
// counted by a clock that nobody sets.
void keep_fresh(const Settings &settings, Freshness freshness, const kube::GetEnv &get_env);

}  // namespace tortie::installer
