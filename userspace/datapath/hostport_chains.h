// SPDX-License-Identifier: Apache-2.0
//
// Which chains of table nat are whose. The answer needs the jumps of CNI-HOSTPORT-DNAT and the few
// chains in question, never the whole table; where they are read from is the caller's business.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "datapath/port_mapper.h"
#include "sys/iptables.h"
#include "sys/nf_tables.h"

namespace tortie {

// A rule of table nat, as much of it as finding and removing takes.
struct NatRule {
    std::string comment;
    std::string jump;                        // target chain; empty for other targets
    std::optional<PublishedPort> publishes;  // by DNAT
    std::uint64_t handle = 0;                // in nf_tables
};

// The rules of a chain in order; nullopt when there is no such chain.
using ReadChain = std::function<Result<std::optional<std::vector<NatRule>>>(std::string_view)>;

// From what iptables-save printed, which must outlive the reader.
ReadChain chains_in(const SavedNat &saved);

// From table nat of iptables over nf_tables; `tables` must outlive the reader.
ReadChain chains_in(nft::NfTables &tables, Family family);

nft::Table nft_nat_table(Family family);

// A container's chain and everything that leads to it.
struct HostportChain {
    std::string name;
    std::vector<PublishedPort> ports;

    struct Jump {
        std::string_view from;  // kTopDnatChain or kTopSnatChain
        std::uint64_t handle = 0;
    };
    std::vector<Jump> jumps;
};

// The chains of an attachment that exist: by name, the old CNI-SN- one, and those that a jump
// with its container id leads to when they send everything to one of `publication.addresses`
// (the network was renamed since). Errors: the reader's.
Result<std::vector<HostportChain>> chains_of(const ReadChain &read, const Publication &publication);

// The chains of `network` that belong to no attachment in `valid`. Errors: the reader's.
Result<std::vector<HostportChain>> garbage_of(const ReadChain &read, const std::string &network,
                                              std::span<const Attachment> valid);

}  // namespace tortie
