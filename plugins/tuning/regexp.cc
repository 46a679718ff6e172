// SPDX-License-Identifier: Apache-2.0
#include "tuning/regexp.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "tuning/regexp_classes.h"

namespace tortie::tuning {
namespace {

using Op = RegexpInstruction::Op;

// The instructions that consume a byte and are reached before one position of the text.
class States {
public:
    States(const RegexpProgram &program, std::string_view text)
        : program_(program), text_(text), seen_at_(program.size(), kNever)
    {
    }

    // Follows everything that consumes nothing. True when the match is reached.
    bool reach(std::size_t start, std::size_t position)
    {
        pending_.push_back(start);
        while (!pending_.empty()) {
            const std::size_t at = pending_.back();
            pending_.pop_back();
            if (std::exchange(seen_at_[at], position) == position)
                continue;
            const RegexpInstruction &instruction = program_[at];
            if (instruction.op == Op::kMatch)
                return true;
            if (instruction.op == Op::kBytes)
                waiting_.push_back(at);
            else
                follow(instruction, at, position);
        }
        return false;
    }

    // Consumes the byte at `position`. True when the match is reached behind it.
    bool step(std::size_t position)
    {
        const std::size_t byte = byte_at(position);
        const std::vector<std::size_t> now = std::exchange(waiting_, {});
        for (const std::size_t at : now) {
            if (program_[at].bytes.test(byte) && reach(at + 1, position + 1))
                return true;
        }
        return false;
    }

private:
    static constexpr std::size_t kNever = static_cast<std::size_t>(-1);

    void follow(const RegexpInstruction &instruction, std::size_t at, std::size_t position)
    {
        const auto go = [&](int offset) {
            pending_.push_back(at + static_cast<std::size_t>(offset));
        };
        if (instruction.op == Op::kSplit)
            go(instruction.second);
        if (instruction.op == Op::kSplit || instruction.op == Op::kJump)
            go(instruction.first);
        else if (holds(instruction.op, position))
            go(1);
    }

    std::size_t byte_at(std::size_t position) const
    {
        return static_cast<unsigned char>(text_[position]);
    }

    bool is_word(std::size_t position) const
    {
        return position < text_.size() && word_.test(byte_at(position));
    }

    bool holds(Op assertion, std::size_t position) const
    {
        const bool boundary = is_word(position) != (position > 0 && is_word(position - 1));
        switch (assertion) {
        case Op::kAtBegin:
            return position == 0;
        case Op::kAtEnd:
            return position == text_.size();
        case Op::kAtWordBoundary:
            return boundary;
        default:
            return !boundary;
        }
    }

    const RegexpProgram &program_;
    std::string_view text_;
    RegexpBytes word_ = word_bytes();
    std::vector<std::size_t> seen_at_;  // for which position an instruction was reached last
    std::vector<std::size_t> waiting_;
    std::vector<std::size_t> pending_;
};

}  // namespace

Result<Regexp> Regexp::compile(std::string_view expression)
{
    TORTIE_TRY(RegexpProgram program, compile_regexp(expression));
    return Regexp(std::move(program));
}

bool Regexp::matches_in(std::string_view text) const
{
    for (const char c : text) {
        if (static_cast<unsigned char>(c) >= 0x80)
            return false;
    }
    States states(program_, text);
    for (std::size_t position = 0; position < text.size(); ++position) {
        if (states.reach(0, position) || states.step(position))
            return true;
    }
    return states.reach(0, text.size());
}

}  // namespace tortie::tuning
