// SPDX-License-Identifier: Apache-2.0
//
// What nf_tables holds about some host ports: every claim to them, whoever's it is, found by key
// at a cost that does not depend on how many other ports there are.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "datapath/nftables_elements.h"
#include "datapath/port_claim.h"
#include "sys/nf_tables.h"

namespace tortie {

// A claim and the space it stands in, or shall stand in.
struct ClaimSite {
    PortSpace space;
    PortClaim claim;
};

class PortBoard {
public:
    // Every claim to one port of one space.
    struct Port {
        PortSpace space;
        std::vector<PortClaim> claims;
    };
    using Key = std::tuple<std::string, Protocol, std::uint16_t>;  // suffix of the space first

    static Key key_of(const ClaimSite &site)
    {
        return {site.space.suffix, site.claim.protocol, site.claim.host_port};
    }

    // Adds the ports of the sites, with all claims that matter for who gets their packets.
    Result<> look_at(nft::NfTables &tables, const std::vector<ClaimSite> &sites);

    std::map<Key, Port> &ports() { return ports_; }
    const std::map<Key, Port> &ports() const { return ports_; }

    std::vector<ClaimSite> claims_of_owner(const ClaimOwner &owner) const;

private:
    // One element to ask for.
    struct Place {
        PortSpace space;
        std::string map;
        nft::Fields key;
    };

    void want(std::vector<Place> &places, const PortSpace &space, PortClaim claim);
    Result<> fetch(nft::NfTables &tables, const std::vector<Place> &places);
    Result<> load_waiting(nft::NfTables &tables, const PortSpace &space);

    std::map<Key, Port> ports_;
    std::map<std::string, std::vector<PortClaim>> waiting_;  // by suffix; normally empty
    std::set<std::pair<std::string, nft::Fields>> asked_;
};

// Every claim of the table that `wanted` says yes to. Reads everything: for what cannot be asked
// by key.
Result<std::vector<ClaimSite>> scan_claims(nft::NfTables &tables,
                                           const std::function<bool(const ClaimOwner &)> &wanted);

}  // namespace tortie
