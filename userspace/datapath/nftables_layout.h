// SPDX-License-Identifier: Apache-2.0
//
// The rules of table `inet tortie`; its elements are those of nftables_elements.h.
//
//   prerouting, output   -> hostports           destinations that are the node's own
//   hostports            -> hostports4, hostports6, and before them one entry rule for each
//                           list of conditions, -> hostports4_<hash>
//   hostports4:  jump from_addrs4 · dnat by map addrs4 · jump from_ports4 · dnat by map ports4
//   from_ports4: one rule for each prefix length in use: mark what set masq_ports4_<length> holds
//   postrouting:         masquerade what was marked
//   localnet:            drop 127.0.0.0/8 that does not come from lo
//
// A rule is found again by its comment; a rule that changes its meaning changes its comment.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "datapath/nftables_elements.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {

nft::Table tortie_table();

// The rules that are in the table now, and what of the layout they lack.
class LayoutState {
public:
    explicit LayoutState(std::vector<nft::Rule> rules) : rules_(std::move(rules)) {}
    static Result<LayoutState> read(nft::NfTables &tables);

    // Everything that every claim needs.
    bool has_base() const;
    bool has_space(const PortSpace &space) const;
    bool has_guard() const;
    // The rule that leads into a space with conditions; others have a place in the base.
    bool has_entry(const PortSpace &space) const;
    bool has_sources(const PortSpace &space, const SourceElement &source) const;

    // Bring it about, whatever is there already.
    void add_base(nft::Batch &batch) const;
    void add_space(nft::Batch &batch, const PortSpace &space) const;
    void add_guard(nft::Batch &batch) const;
    static void add_sources(nft::Batch &batch, const PortSpace &space, const SourceElement &source);

private:
    std::vector<nft::Rule> rules_;
};

// What `nft -f -` reads to make the entry rule: the only rule whose words are not ours.
// Errors: kInvalidInput when the words could end the rule or start another.
Result<std::string> entry_script(const PortSpace &space);

}  // namespace tortie
