// SPDX-License-Identifier: Apache-2.0
//
// The document of a handle during one allocation: what others count in it and what we do.
//
// A handle is written before the block and may count more than the blocks hold, never less. So an
// allocation that must begin anew re-uses what it has counted already, and settles at the end.
// Source: spec calico-ipam-datastore.md 2.8.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace tortie::ipam {

// Canonical CIDR text -> addresses.
using BlockCounts = std::map<std::string, std::int64_t>;

std::int64_t count_in_family(const BlockCounts &counts, Family family);

class HandleLedger {
public:
    explicit HandleLedger(std::string id) : id_(std::move(id)) {}

    const std::string &id() const { return id_; }
    store::Key key() const { return store::HandleKey{id_}; }

    // The store's document is not what we know: read it before the next write.
    bool must_read() const { return must_read_; }
    void read(store::Held<store::Handle> held);
    void read_nothing();

    // What others count.
    BlockCounts others() const;

    // What makes the document count `wanted` for us; nullopt when it does already. The document is
    // deleted when it would be empty. Stage 0.
    std::optional<store::Write> write_for(const BlockCounts &wanted) const;

    // Takes the answer to write_for(). True: written. False: read and try again.
    // Errors: those that do not pass.
    Result<bool> take_answer(const store::Write &write, const Result<store::Revision> &answer,
                             const BlockCounts &wanted);

private:
    std::string id_;
    std::optional<store::Held<store::Handle>> stored_;
    BlockCounts ours_;
    bool must_read_ = false;

    // A write whose answer was lost: the document and what we counted in it.
    struct Unsure {
        BlockCounts document;
        BlockCounts ours;
    };
    std::optional<Unsure> unsure_;
};

}  // namespace tortie::ipam
