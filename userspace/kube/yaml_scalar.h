// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tortie::kube {

// A plain scalar as JSON: null, a boolean, a number, or a text with its quotes.
// Source: YAML 1.1 types as Go's yaml.v2 resolves them.
std::string plain_scalar(std::string_view text);

}  // namespace tortie::kube
