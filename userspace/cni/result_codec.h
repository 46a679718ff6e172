// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cni/json.h"
#include "cni/result_types.h"

namespace tortie::cni {

// `result` in the shape of `version` (one of supported_versions()), indented by four spaces,
// without a final newline. Errors: kInvalidInput "cannot convert: no valid IP addresses" for
// 0.1.0 and 0.2.0, which have no other place for anything.
Result<std::string> print_result(const CniResult &result, std::string_view version);

// A result of the same family, read by previous_result(), handed on as it came: unlike
// print_result() without addresses, too, in every version.
std::string print_previous(const CniResult &result, std::string_view version);

// Reads an object of the result family that `version` belongs to. A result without a version is
// taken to be of `version`; one of another family is an error, as in the Go library.
Result<CniResult> parse_result(const Json &object, std::string_view version);

// config.prevResult, absent when it is absent or null. A version that is there and empty is that
// of 0.1.0, which only the oldest family knows. Errors carry the Go library's prefix
// "could not parse prevResult: ".
Result<std::optional<CniResult>> previous_result(const Json &config, std::string_view version);

// One route object of a configuration or result. Errors: kInvalidInput, also without `dst`.
Result<Route> parse_route(const Json &object);

// A `dns` object, which may be absent. Errors: kInvalidInput.
Result<Dns> parse_dns(const Json &object);

}  // namespace tortie::cni
