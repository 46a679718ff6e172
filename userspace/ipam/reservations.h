// SPDX-License-Identifier: Apache-2.0
//
// Addresses that automatic allocation leaves alone (IPReservation). They never evict an address
// that is in use and do not bind a request for one particular address.
// Source: spec calico-ipam-datastore.md 2.15.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip_addr.h"
#include "store/documents.h"

namespace tortie::ipam {

class Reservations {
public:
    Reservations() = default;

    // Entries may be bare addresses, unmasked and have blanks around. What is neither address nor
    // CIDR is left out with a warning; the empty text silently.
    explicit Reservations(std::span<const store::Reservation> reservations);

    bool contains(const IpAddr &ip) const;

    // How many addresses of a block are reserved.
    std::uint32_t reserved_in(const Cidr &block) const;

    bool covers_whole(const Cidr &block) const;

    // The one reservation that covers all of the block, if one does.
    std::optional<Cidr> around(const Cidr &block) const;

    bool empty() const { return cidrs_.empty(); }

private:
    std::vector<Cidr> cidrs_;  // masked
};

}  // namespace tortie::ipam
