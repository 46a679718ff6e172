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

// "10.0.0.1/24"; unlike Cidr::parse() also an IPv4-mapped address, whose prefix counts the bits of
// IPv6: "::ffff:10.0.0.1/120" is 10.0.0.1/24, as Go prints it.
std::optional<Cidr> parse_cidr(std::string_view text);

// The same for parse_cidr(), where an empty text and null are errors.
// Errors: kInvalidInput "invalid CIDR address: x", or for another type as Json::string().
Result<std::optional<Cidr>> cidr_at(const Json &object, std::string_view key);

}  // namespace tortie::cni
