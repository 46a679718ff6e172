// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"

namespace tortie {

// What libbpf returned, a negative errno, as an Error. `words` is what it printed meanwhile (its
// own explanations, the verifier's log); only its end goes into the text.
// EPERM and E2BIG from bpf(2) are kUnsupported too: a kernel in lockdown, or one that does not know
// a field that is set.
Error bpf_error(int negative_errno, std::string_view doing, std::string_view words = {});

}  // namespace tortie
