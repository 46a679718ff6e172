// SPDX-License-Identifier: Apache-2.0
//
// Rules that iptables made over nf_tables: some of their conditions and all of their targets stand
// there as xtables' own structures, which its releases used more or less of.
// Source: nft_compat.c of Linux; iptables 1.8.0 to 1.8.11, iptables/nft*.c and libxt_DNAT.c.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip_addr.h"
#include "sys/netlink.h"

namespace tortie::nft {

// `-d destination -p protocol --dport port -j DNAT --to-destination target:target_port`
struct PortTranslation {
    std::uint8_t ip_protocol = 0;       // IANA number
    std::optional<IpAddr> destination;  // absent: any
    std::uint16_t port = 0;
    IpAddr target;
    std::uint16_t target_port = 0;
};

// What the expressions of a rule say when it is of that kind and nothing else matters; nullopt for
// every other rule: more conditions, ranges of ports or of addresses, words that we do not know.
std::optional<PortTranslation> read_port_translation(NetlinkAttrs expressions, Family family);

// The comment that a match of the rule carries (`-m comment`); empty for none.
std::string read_match_comment(NetlinkAttrs expressions);

}  // namespace tortie::nft
