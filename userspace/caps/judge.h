// SPDX-License-Identifier: Apache-2.0
//
// From what a call answered to a finding. One rule holds everywhere: a no is an answer that only a
// kernel without the thing gives. A refusal, a full memory, anything that nobody thought of is
// unknown.
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/result.h"
#include "caps/bpf_call.h"
#include "caps/capability.h"

namespace tortie::caps {

// `doing` is the call in words, `err` what it answered (0: it worked), `absent` the answers of a
// kernel that lacks it.
Finding judge(std::string_view doing, int err, std::initializer_list<int> absent);

// The same for a map, a program or a link: EINVAL, E2BIG and ENOSYS are those of a kernel that does
// not know the kind, and so is whatever the verifier gives a reason for.
Finding judge(std::string_view doing, const bpf::Tried &tried);

// The same for our own layers: kUnsupported and `absent` are a no.
Finding judge(std::string_view doing, const Result<> &result,
              std::initializer_list<ErrorKind> absent = {});

}  // namespace tortie::caps
