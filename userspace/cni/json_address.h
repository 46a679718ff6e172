// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "base/ip_addr.h"
#include "base/result.h"
#include "cni/json.h"

namespace tortie::cni {

// The member of that name as an address; absent when it is absent, null or empty.
// Errors: kInvalidInput "invalid IP address: x", or for another type as Json::string().
Result<std::optional<IpAddr>> address_at(const Json &object, std::string_view key);

// The same with a prefix length, where an empty text is an error.
// Errors: kInvalidInput "invalid CIDR address: x", or for another type as Json::string().
Result<std::optional<Cidr>> cidr_at(const Json &object, std::string_view key);

}  // namespace tortie::cni
