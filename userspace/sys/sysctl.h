// SPDX-License-Identifier: Apache-2.0
//
// Sysctls of the network namespace the thread is in, and no others: what a name can reach ends at
// /proc/sys/net, whatever it contains, and must lie on a real procfs.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie {

// `name` is relative to /proc/sys/net: "ipv4/conf/eth0/forwarding". The value without its final
// newline. Errors: "open /proc/sys/net/...: ..." or "read ...", kind and number as errno says
// (EACCES for what can only be written).
Result<std::string> read_sysctl(const std::string &name);

// Writes `value` as it is. What the kernel leaves over is offered again, as Go's library does: a
// sysctl that is one number takes "1 2" for 1.
// Errors: "open ..." or "write /proc/sys/net/...: invalid argument".
Result<> write_sysctl(const std::string &name, std::string_view value);

}  // namespace tortie
