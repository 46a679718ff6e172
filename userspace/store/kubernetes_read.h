// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
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

}  // namespace tortie::store
