// SPDX-License-Identifier: Apache-2.0
//
// The network configuration: a template in which placeholders are replaced as text. Both may hold
// secrets (Canal puts the pod's token into it), so nothing of them is ever shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "install/settings.h"

namespace tortie::installer {

// What the container was called as decides the version in the built-in template:
// /opt/cni/bin/install writes 0.3.1 as Calico v3.32.1 does, `component cni install` 1.0.0 as later
// ones do.
enum class EntryPoint { kInstall, kComponent };

// The text to substitute in. Errors: CNI_NETWORK_CONFIG_FILE cannot be read.
Result<std::string> read_template(const Settings &settings, EntryPoint entry_point);

// What stands for the three files of etcd's certificates; empty: there is none.
struct EtcdFiles {
    std::string cert;
    std::string ca;
    std::string key;
};

// Placeholders are replaced one after the other, as upstream does it: a value may hold a later
// one. The result is a JSON object, otherwise byte for byte what text replacement gives.
// Errors: kInvalidInput, beginning with "CNI config is not valid JSON" or naming the limit; no
// content is shown.
Result<std::string> render_conflist(const Settings &settings, std::string text,
                                    const std::string &service_account_token,
                                    const EtcdFiles &etcd);

// The plugin types that a rendered configuration names.
std::vector<std::string> plugin_types(std::string_view conflist);

}  // namespace tortie::installer
