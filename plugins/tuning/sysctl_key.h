// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie::tuning {

// The name for sys/sysctl ("ipv4/conf/eth0/arp_filter") of a key as configurations write it:
// "net.ipv4.conf.IFNAME.arp_filter", with dots or slashes. The first IFNAME becomes `ifname`, dots
// in which stay dots; this is how an interface named eth0.100 is reached.
// Errors: kInvalidInput `invalid net sysctl key: "<key with slashes>"` when the path does not end
// below /proc/sys/net.
Result<std::string> sysctl_name(std::string_view key, std::string_view ifname);

}  // namespace tortie::tuning
