// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie::tuning {

using RegexpBytes = std::bitset<128>;  // a set of ASCII characters

// A position in the program is reached, and then: kBytes goes on with the next instruction behind
// a byte of the set, kSplit at once with both targets, kJump with `first`, an assertion with the
// next instruction when it holds. Targets are relative, so that a piece of program can be copied
// and moved.
struct RegexpInstruction {
    enum class Op : std::uint8_t {
        kBytes,
        kSplit,
        kJump,
        kAtBegin,
        kAtEnd,
        kAtWordBoundary,
        kNotAtWordBoundary,
        kMatch,
    };
    Op op = Op::kMatch;
    int first = 0;
    int second = 0;
    RegexpBytes bytes = {};
};

// Ends with its only kMatch.
using RegexpProgram = std::vector<RegexpInstruction>;

// Errors: as Regexp::compile().
Result<RegexpProgram> compile_regexp(std::string_view expression);

}  // namespace tortie::tuning
