// SPDX-License-Identifier: Apache-2.0
//
// Who gets what from the blocks that were read: pure, so that it can be drawn again whenever a
// block turns out to have changed.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ipam/allocator.h"
#include "ipam/block.h"
#include "ipam/handle.h"
#include "ipam/pools.h"
#include "ipam/session.h"

namespace tortie::ipam {

// A block that an ask may take from, in the order of preference.
struct Candidate {
    Cidr block;
    bool affine = true;  // false: borrowed from its owner, or holds the specific address

    friend bool operator==(const Candidate &, const Candidate &) = default;
};

// What a request wants of one family.
struct Ask {
    Family family = Family::kIpv4;
    unsigned wanted = 0;
    std::optional<IpAddr> specific;
    std::vector<UsablePool> pools;
    std::vector<Candidate> candidates;
    std::vector<Address> granted;  // written
    bool reused = false;           // granted were the handle's before: not ours to count or undo
    unsigned planned = 0;          // in the latest plan
    std::vector<std::string> messages;

    // Where to look when the candidates are used up.
    enum class Next { kNewBlock, kBorrow, kNothing } next = Next::kNewBlock;

    bool full() const { return granted.size() >= wanted; }
    std::size_t missing() const { return full() ? 0 : wanted - granted.size(); }
};

// A request under way.
struct Order {
    Order(const Request &asked, std::string handle) : request(&asked), ledger(std::move(handle)) {}

    const Request *request;
    HandleLedger ledger;
    std::vector<Ask> asks;
    std::optional<Error> error;
    bool closed = false;  // served, failed, or short: nothing more is written for it

    Owner owner() const { return {request->handle, request->attributes}; }
    bool served() const;

    // What was granted now; addresses that are re-used do not count.
    BlockCounts granted_counts() const;
};

// What one ask gets from one block.
struct Share {
    std::size_t order = 0;
    std::size_t ask = 0;
    Ordinals ordinals;
};

struct Draft {
    store::Block block;  // with the shares taken, its number as it was read
    std::vector<Share> shares;
};

struct Plan {
    std::map<Cidr, Draft, CidrLess> drafts;
    std::vector<Cidr> unread;  // must be read before there is a plan
    std::vector<Share> stuck;  // asks whose candidates are used up; no ordinals
    std::vector<Share> taken;  // asks whose specific address somebody has; its ordinal

    BlockCounts counts_of(std::size_t order) const;
};

// `eager`: reads all the candidates of an ask that needs a second one, not just the next.
Plan draw_plan(std::vector<Order> &orders, Session &session, bool eager);

Address address_of(const Ask &ask, const Cidr &block, std::uint32_t ordinal, std::int64_t sequence);

}  // namespace tortie::ipam
