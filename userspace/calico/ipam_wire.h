// SPDX-License-Identifier: Apache-2.0
//
// Requests and answers as the texts that processes of one node leave for each other.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "calico/ipam_call.h"
#include "ipam/allocator.h"

namespace tortie::calico {

std::string write_request(const ipam::Request &request);

// Errors: kInvalidInput.
Result<ipam::Request> read_request(std::string_view text);

// Addresses or the error. `handle` and the rest of Assigned are the reader's.
std::string write_answer(const Result<Assigned> &answer);
Result<Assigned> read_answer(std::string_view text);

}  // namespace tortie::calico
