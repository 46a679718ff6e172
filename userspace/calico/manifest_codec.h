// SPDX-License-Identifier: Apache-2.0
//
// The JSON side of manifests: one object to a document, two documents to what differs. The only
// file here that sees nlohmann/json is manifest_codec.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "calico/manifest.h"

namespace tortie::calico {

// The resources of one JSON document: itself, or the items of a List.
// Errors: kInvalidInput "IPPool/x: spec.blockSize: ...".
Result<std::vector<Resource>> read_resources(std::string_view json);

// "spec.disabled: absent -> true" for each leaf that differs between two JSON objects.
std::vector<std::string> differences(std::string_view before, std::string_view after);

}  // namespace tortie::calico
