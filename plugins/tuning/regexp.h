// SPDX-License-Identifier: Apache-2.0
//
// The regular expressions of an allow-list: RE2's syntax, which the Go plugins read, without its
// flags, Unicode classes and captures. Why our own:
// docs/adr/0004-allow-list-regular-expressions.md.
//
// All states of the automaton advance together over the text, so the time is at most the length of
// the text times the size of the program, whatever the expression: (a+)+$ is no attack.
// Source: K. Thompson, "Regular expression search algorithm", CACM 11 (1968); R. Cox, "Regular
// expression matching: the virtual machine approach"; RE2's syntax page.
#pragma once

#include <string_view>
#include <utility>

#include "base/result.h"
#include "tuning/regexp_program.h"

namespace tortie::tuning {

class Regexp {
public:
    // ASCII only. Errors: kInvalidInput "error parsing regexp: <why>: `<where>`" for what RE2
    // refuses and for what is not supported here; nothing is ever read differently from RE2.
    static Result<Regexp> compile(std::string_view expression);

    // Whether some part of `text` matches; never when it contains a byte from 0x80.
    bool matches_in(std::string_view text) const;

private:
    explicit Regexp(RegexpProgram program) : program_(std::move(program)) {}

    RegexpProgram program_;
};

}  // namespace tortie::tuning
