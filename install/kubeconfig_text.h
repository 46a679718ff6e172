// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "install/settings.h"

namespace tortie::installer {

constexpr const char *kKubeconfigName = "calico-kubeconfig";

// The kubeconfig of the plugins, byte for byte as upstream writes it. `ca_pem` may be empty. The
// text is a secret. Source: spec calico-cni.md 5.5.
std::string kubeconfig_text(const Settings &settings, std::string_view ca_pem,
                            std::string_view token);

}  // namespace tortie::installer
