// SPDX-License-Identifier: Apache-2.0
//
// YAML that people write (kubeconfig, Calico's resources) as the JSON that Go's YAML library makes
// of it, so that one kind of reader is enough. JSON is YAML: it passes through.
//
// As there: a plain scalar that looks like a number, true/false/yes/no/on/off or null is one; any
// other and everything quoted is text; keys are text. Not as there: aliases are refused, a few
// bytes of them can stand for gigabytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie::kube {

inline constexpr std::size_t kMaxYamlBytes = std::size_t{4} << 20;
inline constexpr std::size_t kMaxYamlDepth = 64;

// One JSON text for each document of the stream ("---"); empty documents are left out.
// Errors: kInvalidInput with line and column, also for more than the limits above.
Result<std::vector<std::string>> yaml_to_json(std::string_view yaml);

// `value` as JSON text, with its quotes.
std::string json_text(std::string_view value);

}  // namespace tortie::kube
