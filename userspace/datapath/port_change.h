// SPDX-License-Identifier: Apache-2.0
//
// From what stands on the board to what shall stand there: who goes, who comes, who gets a turn,
// and the elements that differ.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "datapath/nftables_layout.h"
#include "datapath/port_board.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {

class PortChange {
public:
    using Goes = std::function<bool(const PortClaim &)>;

    // Decides for every port on the board, which must know the ports of `added`: claims that
    // `goes` says yes to are gone, `added` come (with the age that a gone one of the same packets
    // had, else as the youngest; `generation` is their age), and whoever waited and is not
    // covered any more gets active.
    PortChange(const PortBoard &board, const Goes &goes, const std::vector<ClaimSite> &added,
               std::uint32_t generation);

    bool empty() const { return gone_.empty() && came_.empty(); }

    // Gone, and followed by packets until now.
    std::vector<PublishedPort> withdrawn() const;

    // An added claim that waits, and the active claim that it waits for.
    struct Met {
        PortClaim claim;
        PortClaim holder;
    };
    const std::vector<Met> &met() const { return met_; }

    // Writes the difference, rules for prefix lengths that were not in use included.
    // Reads the sources' elements to delete only what is there.
    Result<> write(nft::NfTables &tables, const LayoutState &layout, nft::Batch &batch) const;

private:
    void decide(const PortBoard::Port &port, const Goes &goes, std::vector<PortClaim> added,
                std::uint32_t generation);
    Result<> find_sources_to_delete(nft::NfTables &tables,
                                    std::map<std::string, std::set<nft::Fields>> &deleted) const;

    std::vector<ClaimSite> gone_;  // as they stand in nf_tables; a promoted one's old place, too
    std::vector<ClaimSite> came_;  // as they shall stand there
    std::vector<PublishedPort> withdrawn_;
    std::vector<Met> met_;
};

}  // namespace tortie
