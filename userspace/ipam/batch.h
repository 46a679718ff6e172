// SPDX-License-Identifier: Apache-2.0
//
// Requests served together: reads what the plan needs, draws it, writes handles and blocks, and
// begins anew with what somebody else has changed meanwhile, until every order is closed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ipam/backoff.h"
#include "ipam/new_block.h"
#include "ipam/plan.h"
#include "ipam/session.h"

namespace tortie::ipam {

class Batch {
public:
    Batch(Session &session, std::vector<Order> &orders);

    // Afterwards every order is closed: served, or with an error, or with an ask that is short.
    void run();

    // What must be given back: what an order was granted that is not served, and what may have
    // been written for an order without our knowing.
    struct Leaving {
        std::size_t order = 0;
        Address address;
    };
    std::vector<Leaving> leavings() const;

private:
    // A block write whose answer was lost: whether it took effect shows when the block is read.
    struct Unsure {
        std::string version;        // the block's, before
        std::int64_t sequence = 0;  // likewise
        std::vector<Share> shares;
    };

    // batch.cc: the loop, and what is read.
    void step();
    void read(const Plan &plan);
    std::vector<store::Write> early_handles();
    void take_handle(Order &order, store::Found found);
    void reuse_addresses(Order &order);
    void take_block(const Cidr &cidr, store::Found found);
    void adopt(const store::Held<store::Block> &held);
    bool admit(store::Held<store::Block> &held);
    void check_strict(const store::Block &block);
    bool confirm(store::Held<store::Block> &held, store::Held<store::Affinity> &affinity);
    void make_missing(const Cidr &cidr);

    // batch_extend.cc: more blocks to take from.
    void extend(Order &order, Ask &ask);
    void claim_for(Order &order, Ask &ask);
    void borrow_for(Order &order, Ask &ask);
    void remember(const AffineBlock &affine);
    void offer(const Cidr &block);

    // batch_commit.cc: what is written.
    void commit(Plan &plan);
    BlockCounts counts_for(std::size_t order, const Plan &plan) const;
    void take_block_answer(const Cidr &cidr, Draft draft, const Result<store::Revision> &answer);
    void grant(const std::vector<Share> &shares, const Cidr &block, std::int64_t sequence);
    void refuse_taken(const Share &taken);

    Ask &ask_of(const Share &share) { return orders_[share.order].asks[share.ask]; }
    bool is_wanted(const Cidr &block) const;
    void drop_candidate(const Cidr &block, bool only_affine);
    void drop_unreadable(const Cidr &block, const Error &error);
    void close_open(const Error &error);
    bool any_open() const;

    Session &session_;
    std::vector<Order> &orders_;
    BlockSearch search_;
    Backoff backoff_;
    std::map<Cidr, Unsure, CidrLess> unsure_;
    bool handles_begun_ = false;
    bool eager_ = false;
    bool sought_unlabelled_ = false;
    bool stand_back_ = false;  // something of this step was lost to somebody faster
};

void close(Order &order, const Error &error);

}  // namespace tortie::ipam
