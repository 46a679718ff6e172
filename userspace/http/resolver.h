// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/ip_addr.h"
#include "base/result.h"

namespace tortie::http {

// The addresses of a name, by /etc/hosts and DNS as the node's files say, never by its NSS
// modules. At least one, IPv4 first. Errors: kTryAgain, "lookup NAME: no such host" and such.
Result<std::vector<IpAddr>> resolve(const std::string &name, Deadline deadline);

}  // namespace tortie::http
