// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tortie::cni {

// `json` with U+FFFD for what is no character, as Go's parser reads it: a byte that is not UTF-8,
// half a surrogate pair ("\\ud800"). What is JSON stays JSON, what is not stays none.
std::string with_valid_characters(std::string_view json);

}  // namespace tortie::cni
