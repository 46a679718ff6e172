// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "kube/client.h"
#include "store/codec.h"
#include "store/store.h"

namespace tortie::store {

// The request that makes a write. Deletes name UID and version, so that they are a
// compare-and-swap in one request. Errors: kUnsupported, kInvalidInput.
Result<kube::Call> call_of(const Write &write, Spelling spelling);

// What the answer to it says. Errors: as Store says, in Calico's words.
Result<Revision> revision_of(const Write &write, Result<std::string> answer);

}  // namespace tortie::store
