// SPDX-License-Identifier: Apache-2.0
//
// What the kernel says about table nat by itself, for a caller who wants to be spared a child
// process. iptables over nf_tables keeps it as table `nat` of family ip or ip6, where a chain is
// found by name in constant time; of the legacy tables only the fact that they exist can be seen.
#pragma once

#include <string_view>

#include "base/ip_addr.h"
#include "base/result.h"
#include "sys/netlink.h"

namespace tortie {

// `netfilter` is a NETLINK_NETFILTER socket. Errors: kUnsupported, kSystem.
Result<bool> nft_nat_has_chain(NetlinkSocket &netfilter, Family family, std::string_view chain);

// Some rule of the chain contains these bytes, comments included. Reads the chain's rules.
Result<bool> nft_nat_mentions(NetlinkSocket &netfilter, Family family, std::string_view chain,
                              std::string_view bytes);

// The legacy nat table exists in this network namespace; true also when it cannot be told.
bool legacy_nat_in_use(Family family);

}  // namespace tortie
