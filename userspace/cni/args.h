// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie::cni {

// CNI_ARGS ("K=V;K=V") of a plugin that knows the keys `known`; the others are dropped when
// IgnoreUnknown says so. Errors: kInvalidInput with the Go library's texts ("ARGS: ...").
Result<std::map<std::string, std::string, std::less<>>> parse_args(
    std::string_view text, const std::vector<std::string_view> &known);

}  // namespace tortie::cni
