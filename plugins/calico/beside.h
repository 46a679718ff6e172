// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "store/store.h"

namespace tortie::calico_cni {

// A store whose next read carries writes that have nothing to do with it, so that they cost no
// round trip of their own.
class Beside : public store::Store {
public:
    Beside(store::Store &store, std::span<const store::Write> writes)
        : store_(store), writes_(writes)
    {
    }

    std::vector<store::Found> read(std::span<const store::Query> queries,
                                   Deadline deadline) override
    {
        if (writes_.empty())
            return store_.read(queries, deadline);
        store::Exchanged exchanged = store_.exchange(queries, std::exchange(writes_, {}), deadline);
        written_ = std::move(exchanged.written);
        return std::move(exchanged.found);
    }

    store::Written commit(std::span<const store::Write> writes, Deadline deadline) override
    {
        return store_.commit(writes, deadline);
    }

    bool atomic() const override { return store_.atomic(); }
    bool endpoints_are_pods() const override { return store_.endpoints_are_pods(); }

    // What the writes came to; they are made now when no read has come.
    store::Written written(Deadline deadline)
    {
        if (!writes_.empty())
            written_ = store_.commit(std::exchange(writes_, {}), deadline);
        return std::move(written_);
    }

private:
    store::Store &store_;
    std::span<const store::Write> writes_;
    store::Written written_;
};

}  // namespace tortie::calico_cni
