// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cni/result_types.h"

namespace tortie::host_local {

// What resolv.conf(5) says, as far as a CNI result can carry it. Lines that make no sense are
// passed over, as resolvers do.
cni::Dns parse_resolv_conf(std::string_view text);

// The same from a file. Links are followed: /etc/resolv.conf usually is one.
// Errors: kNotFound "open <path>: no such file or directory", kInvalidInput beyond 1 MiB, kSystem.
Result<cni::Dns> read_resolv_conf(const std::string &path);

}  // namespace tortie::host_local
