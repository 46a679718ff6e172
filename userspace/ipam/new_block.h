// SPDX-License-Identifier: Apache-2.0
//
// Where to take from when the blocks of this host are full: a block nobody has, one that somebody
// has and does not use, one of somebody else's to borrow from.
//
// A few reads by name usually find a free block; only when they do not, all blocks are listed,
// once for both the search and the borrowing.
// Source: spec calico-ipam-datastore.md 2.5, 2.6, 6.3.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "ipam/affinity.h"
#include "ipam/plan.h"
#include "ipam/session.h"

namespace tortie::ipam {

class BlockSearch {
public:
    explicit BlockSearch(Session &session) : session_(session) {}

    // A block of the ask's pools that is this host's afterwards and has room; nullopt: there is
    // none to be had. `max_blocks` is the request's own limit.
    // Errors: kNotFound the limit (with a message added to the ask), or no blocks may be made;
    // kTryAgain; those of the store.
    Result<std::optional<AffineBlock>> claim(Ask &ask, unsigned max_blocks);

    // Blocks with free addresses whoever has them, in the order in which this host walks the
    // pools. They stand in session.blocks() afterwards.
    Result<std::vector<Candidate>> borrowable(const std::vector<UsablePool> &pools);

private:
    struct Choice {
        Cidr block;
        const store::Held<store::Block> *idle = nullptr;  // somebody has it and does not use it
    };

    Result<void> check_limits(Ask &ask, unsigned max_blocks);
    Result<std::optional<Choice>> choose(const std::vector<UsablePool> &pools);
    Result<std::optional<Choice>> probe(const std::vector<UsablePool> &pools);
    bool skip_reserved(BlockWalk &walk, const Cidr &block) const;
    std::vector<Cidr> to_probe(const std::vector<UsablePool> &pools) const;
    std::optional<Choice> choose_listed(const std::vector<UsablePool> &pools) const;
    bool is_idle(const store::Block &block) const;
    bool is_ours(const store::Block &block) const;
    bool has_room(const store::Block &block) const;
    bool make_free(const store::Held<store::Block> &idle);
    Result<void> list_blocks();
    void add_borrowable(const UsablePool &pool, Session::Blocks::const_iterator from,
                        Session::Blocks::const_iterator to, std::vector<Candidate> &candidates);

    Session &session_;
    bool listed_ = false;
    Session::Blocks all_;
    std::vector<Cidr> refused_;  // idle, but could not be had
};

}  // namespace tortie::ipam
