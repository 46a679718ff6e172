// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tortie {

// True when objects and arrays of the JSON text stand in each other more than `levels` deep. Asked
// before a parser sees the text: what is nested too deep must not cost memory or stack first.
bool nested_deeper_than(std::string_view json, int levels);

}  // namespace tortie
