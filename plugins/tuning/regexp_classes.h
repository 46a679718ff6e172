// SPDX-License-Identifier: Apache-2.0
//
// The sets of ASCII characters that expressions have names for.
#pragma once

#include <optional>
#include <string_view>

#include "tuning/regexp_program.h"

namespace tortie::tuning {

// All of these take ASCII only.
RegexpBytes range(char from, char to);  // both included
RegexpBytes just(char c);
RegexpBytes any_of(std::string_view text);
RegexpBytes word_bytes();  // \w

// d, s, w, D, S or W as in \d.
std::optional<RegexpBytes> perl_class(char letter);

// alpha as in [[:alpha:]].
std::optional<RegexpBytes> named_class(std::string_view name);

// What an escaped character stands for: itself when it is punctuation, n is a new line.
std::optional<char> escaped_char(char c);

}  // namespace tortie::tuning
