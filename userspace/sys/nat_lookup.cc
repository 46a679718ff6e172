// SPDX-License-Identifier: Apache-2.0
#include "sys/nat_lookup.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <string>

#include "base/file.h"
#include "base/strings.h"

namespace tortie {
namespace {

constexpr std::size_t kMaxNamesBytes = 4096;

NetlinkMessage nft_request(std::uint16_t message, Family family)
{
    NetlinkMessage request(static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | message), 0);
    request.put_header(nfgenmsg{
        .nfgen_family =
            static_cast<std::uint8_t>(family == Family::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6),
        .version = NFNETLINK_V0,
        .res_id = 0,
    });
    return request;
}

}  // namespace

Result<bool> nft_nat_has_chain(NetlinkSocket &netfilter, Family family, std::string_view chain)
{
    NetlinkMessage request = nft_request(NFT_MSG_GETCHAIN, family);
    request.put_string(NFTA_CHAIN_TABLE, "nat");
    request.put_string(NFTA_CHAIN_NAME, chain);
    bool found = false;
    const auto asked = netfilter.query(request, "look up chain " + std::string(chain),
                                       [&](const NetlinkReply &) { found = true; });
    if (!asked && asked.error().kind() != ErrorKind::kNotFound)
        return fail(asked.error());
    return found;
}

Result<bool> nft_nat_mentions(NetlinkSocket &netfilter, Family family, std::string_view chain,
                              std::string_view bytes)
{
    NetlinkMessage request = nft_request(NFT_MSG_GETRULE, family);
    request.put_string(NFTA_RULE_TABLE, "nat");
    request.put_string(NFTA_RULE_CHAIN, chain);
    bool found = false;
    const auto dumped = netfilter.dump(
        request, "list the rules of chain " + std::string(chain), [&] { found = false; },
        [&](const NetlinkReply &rule) {
            found = found || std::search(rule.payload.begin(), rule.payload.end(), bytes.begin(),
                                         bytes.end()) != rule.payload.end();
        });
    if (!dumped && dumped.error().kind() != ErrorKind::kNotFound)
        return fail(dumped.error());
    return found;
}

bool legacy_nat_in_use(Family family)
{
    const auto names = read_file(
        family == Family::kIpv4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names",
        kMaxNamesBytes);
    if (!names)
        return names.error().kind() != ErrorKind::kNotFound;  // no such file: no legacy tables
    const auto tables = words(*names);
    return std::find(tables.begin(), tables.end(), "nat") != tables.end();
}

}  // namespace tortie
