// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kube/client.h"
#include "store/codec.h"
#include "store/store.h"

namespace tortie::store {

// Store::read() in a given spelling: the first requests of all queries in one exchange, then the
// further pages of all lists in one, and so on. A document that is marked as deleted and was asked
// for by its key is deleted, as Calico does, and not found.
// Errors beside those of Store: kUnsupported when the cluster does not serve the type.
std::vector<Found> read_all(kube::Client &client, std::span<const Query> queries, Spelling spelling,
                            Deadline deadline);

// Calls that go out together with the first requests of a read, and what was answered.
struct Beside {
    std::vector<kube::Call> calls;
    std::vector<Result<std::string>> answers;
};

// The same with `beside`. At least one query.
std::vector<Found> read_all(kube::Client &client, std::span<const Query> queries, Spelling spelling,
                            Beside &beside, Deadline deadline);

}  // namespace tortie::store
