// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "cni/json.h"

namespace tortie::cni {

// Whether the keys that any plugin's configuration may have are of their types: type, capabilities,
// ipam, dns, prevResult, cni.dev/valid-attachments. Plugins of the Go library refuse one that is
// not even where they have no use for the key.
// Errors: kInvalidInput "json: cannot unmarshal ...".
// Source: CNI specification 1.1.0 section 1; PluginConf of the Go library v1.3.0.
Result<> check_common_keys(const Json &config);

}  // namespace tortie::cni
