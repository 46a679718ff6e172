// SPDX-License-Identifier: Apache-2.0
#include "datapath/published_ports.h"

#include "datapath/hostport_chains.h"
#include "datapath/iptables_rules.h"
#include "datapath/port_board.h"
#include "sys/nf_tables.h"

namespace tortie {
namespace {

Result<> append_claims(nft::NfTables &tables, std::vector<PublishedPort> &ports)
{
    TORTIE_TRY(const auto sites, scan_claims(tables, [](const ClaimOwner &) { return true; }));
    for (const ClaimSite &site : sites)
        if (site.claim.active)
            ports.push_back(site.claim.published());
    return {};
}

Result<> append_chains(nft::NfTables &tables, Family family, std::vector<PublishedPort> &ports)
{
    const ReadChain read = chains_in(tables, family);
    TORTIE_TRY(const auto jumps, read(kTopDnatChain));
    if (!jumps)
        return {};
    for (const NatRule &jump : *jumps) {
        TORTIE_TRY(const auto rules, read(jump.jump));
        if (!rules)
            continue;
        for (const NatRule &rule : *rules)
            if (rule.publishes)
                ports.push_back(*rule.publishes);
    }
    return {};
}

}  // namespace

Result<std::vector<PublishedPort>> list_published_ports()
{
    std::vector<PublishedPort> ports;
    auto tables = nft::NfTables::open();
    if (!tables && tables.error().kind() == ErrorKind::kUnsupported)
        return ports;
    if (!tables)
        return fail(std::move(tables).error());
    TORTIE_DO(append_claims(*tables, ports));
    for (const Family family : {Family::kIpv4, Family::kIpv6})
        TORTIE_DO(append_chains(*tables, family, ports));
    return ports;
}

}  // namespace tortie
