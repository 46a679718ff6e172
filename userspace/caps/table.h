// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caps/capability.h"
#include "caps/decision.h"

namespace tortie::caps {

// For people at a terminal: a line a capability, its answer and its evidence.
std::string table_of(const Findings &findings);

// The decision in words, a line a thing.
std::string text_of(const Decision &decision);

}  // namespace tortie::caps
