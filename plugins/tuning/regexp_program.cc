// SPDX-License-Identifier: Apache-2.0
#include "tuning/regexp_program.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "tuning/regexp_classes.h"

namespace tortie::tuning {
namespace {

using Bytes = RegexpBytes;
using Instruction = RegexpInstruction;
using Op = Instruction::Op;
using Program = RegexpProgram;

constexpr std::size_t kMaxInstructions = 10'000;
constexpr int kMaxRepeat = 1000;  // RE2's
constexpr int kMaxNesting = 200;
constexpr int kNoLimit = -1;

struct Repetition {
    int min = 0;
    int max = kNoLimit;
    std::size_t length = 1;  // of its text
};

// Recursive descent; each parse function appends the program of what it has read.
class Compiler {
public:
    explicit Compiler(std::string_view expression) : all_(expression), rest_(expression) {}

    Result<Program> compile()
    {
        for (const char c : all_) {
            if (static_cast<unsigned char>(c) >= 0x80)
                return error("only ASCII is supported", all_);
        }
        TORTIE_DO(parse_alternation());
        if (!rest_.empty())
            return error("unexpected )", all_);
        program_.push_back({.op = Op::kMatch});
        return std::move(program_);
    }

private:
    static tl::unexpected<Error> error(std::string_view why, std::string_view where)
    {
        return fail(ErrorKind::kInvalidInput,
                    "error parsing regexp: " + std::string(why) + ": `" + std::string(where) + '`');
    }

    bool take(std::string_view text)
    {
        if (!rest_.starts_with(text))
            return false;
        rest_.remove_prefix(text.size());
        return true;
    }

    int length_from(std::size_t start) const { return static_cast<int>(program_.size() - start); }

    void insert(std::size_t at, Instruction instruction)
    {
        program_.insert(program_.begin() + static_cast<std::ptrdiff_t>(at), instruction);
    }

    void append_bytes(const Bytes &bytes)
    {
        program_.push_back({.op = Op::kBytes, .bytes = bytes});
    }

    // a|b|c is a|(b|c).
    Result<> parse_alternation()
    {
        const std::size_t start = program_.size();
        TORTIE_DO(parse_sequence());
        if (!take("|"))
            return {};
        insert(start, {.op = Op::kSplit, .first = 1, .second = length_from(start) + 2});
        const std::size_t jump = program_.size();
        program_.push_back({.op = Op::kJump});
        TORTIE_DO(parse_alternation());
        program_[jump].first = length_from(jump);
        return {};
    }

    Result<> parse_sequence()
    {
        while (!rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
            const std::size_t start = program_.size();
            if (const auto repetition = peek_repetition())
                return error("missing argument to repetition operator",
                             rest_.substr(0, repetition->length));
            TORTIE_DO(parse_atom());
            TORTIE_DO(parse_repetition(start));
            if (program_.size() > kMaxInstructions)
                return error("expression too large", all_);
        }
        return {};
    }

    Result<> parse_atom()
    {
        const char c = rest_[0];
        if (c == '(')
            return parse_group();
        if (c == '[')
            return parse_class();
        if (c == '\\')
            return parse_escape();
        rest_.remove_prefix(1);
        if (c == '^')
            program_.push_back({.op = Op::kAtBegin});
        else if (c == '$')
            program_.push_back({.op = Op::kAtEnd});
        else
            append_bytes(c == '.' ? ~just('\n') : just(c));
        return {};
    }

    Result<> parse_group()
    {
        if (rest_.starts_with("(?") && !rest_.starts_with("(?:"))
            return error("invalid or unsupported Perl syntax", rest_.substr(0, 3));
        if (!take("(?:"))
            take("(");
        if (++nesting_ > kMaxNesting)
            return error("expression nests too deeply", all_);
        TORTIE_DO(parse_alternation());
        --nesting_;
        if (!take(")"))
            return error("missing closing )", all_);
        return {};
    }

    Result<> parse_escape()
    {
        if (rest_.size() < 2)
            return error("trailing backslash at end of expression", "");
        const char c = rest_[1];
        constexpr std::string_view kAssertions = "AzbB";
        constexpr std::array kOps = {Op::kAtBegin, Op::kAtEnd, Op::kAtWordBoundary,
                                     Op::kNotAtWordBoundary};
        if (const std::size_t at = kAssertions.find(c); at != std::string_view::npos)
            program_.push_back({.op = kOps[at]});
        else if (const auto bytes = perl_class(c))
            append_bytes(*bytes);
        else if (const auto literal = escaped_char(c))
            append_bytes(just(*literal));
        else
            return error("invalid escape sequence", rest_.substr(0, 2));
        rest_.remove_prefix(2);
        return {};
    }

    Result<> parse_class()
    {
        const std::string_view whole = rest_;
        take("[");
        const bool negated = take("^");
        Bytes bytes;
        for (bool first = true; first || !take("]"); first = false) {
            if (rest_.empty())
                return error("missing closing ]", whole);
            TORTIE_TRY(const Bytes part, parse_class_part());
            bytes |= part;
        }
        append_bytes(negated ? ~bytes : bytes);
        return {};
    }

    // [:name:], \d, a single character or a range of two.
    Result<Bytes> parse_class_part()
    {
        if (rest_.starts_with("[:") && rest_.find(":]", 2) != std::string_view::npos)
            return parse_named_class();
        if (rest_.size() > 1 && rest_[0] == '\\') {
            if (const auto bytes = perl_class(rest_[1])) {
                rest_.remove_prefix(2);
                return *bytes;
            }
        }
        const std::string_view whole = rest_;
        TORTIE_TRY(const char from, parse_class_char());
        if (rest_.size() < 2 || rest_[0] != '-' || rest_[1] == ']')
            return just(from);
        take("-");
        TORTIE_TRY(const char to, parse_class_char());
        if (to < from)
            return error("invalid character class range",
                         whole.substr(0, whole.size() - rest_.size()));
        return range(from, to);
    }

    Result<Bytes> parse_named_class()
    {
        const std::string_view text = rest_.substr(0, rest_.find(":]", 2) + 2);
        std::string_view name = text.substr(2, text.size() - 4);
        const bool negated = name.starts_with('^');
        name.remove_prefix(negated ? 1 : 0);
        const auto bytes = named_class(name);
        if (!bytes)
            return error("invalid character class range", text);
        rest_.remove_prefix(text.size());
        return negated ? ~*bytes : *bytes;
    }

    Result<char> parse_class_char()
    {
        if (rest_.empty())
            return error("missing closing ]", all_);
        const char c = rest_[0];
        if (c != '\\') {
            rest_.remove_prefix(1);
            return c;
        }
        const auto literal = rest_.size() < 2 ? std::nullopt : escaped_char(rest_[1]);
        if (!literal)
            return error("invalid escape sequence", rest_.substr(0, 2));
        rest_.remove_prefix(2);
        return *literal;
    }

    // The operator at the front, if there is one. A brace that is no repetition is a character.
    std::optional<Repetition> peek_repetition() const
    {
        if (rest_.empty())
            return std::nullopt;
        switch (rest_[0]) {
        case '*':
            return Repetition{.min = 0, .max = kNoLimit};
        case '+':
            return Repetition{.min = 1, .max = kNoLimit};
        case '?':
            return Repetition{.min = 0, .max = 1};
        case '{':
            return peek_braces();
        default:
            return std::nullopt;
        }
    }

    // {n}, {n,} or {n,m}; numbers too big to be read are as good as any above the limit.
    std::optional<Repetition> peek_braces() const
    {
        const std::size_t end = rest_.find('}');
        if (end == std::string_view::npos)
            return std::nullopt;
        const std::string_view inside = rest_.substr(1, end - 1);
        const std::string_view low = inside.substr(0, inside.find(','));
        const auto is_number = [](std::string_view text) {
            return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
        };
        const auto value = [](std::string_view text) {
            return parse_number<int>(text).value_or(kMaxRepeat + 1);
        };
        if (!is_number(low))
            return std::nullopt;
        Repetition repetition{.min = value(low), .max = value(low), .length = end + 1};
        if (low.size() == inside.size())
            return repetition;
        const std::string_view high = inside.substr(low.size() + 1);
        if (!high.empty() && !is_number(high))
            return std::nullopt;
        repetition.max = high.empty() ? kNoLimit : value(high);
        return repetition;
    }

    Result<> parse_repetition(std::size_t start)
    {
        const std::string_view before = rest_;
        const auto repetition = peek_repetition();
        if (!repetition)
            return {};
        rest_.remove_prefix(repetition->length);
        if (repetition->min > kMaxRepeat || repetition->max > kMaxRepeat ||
            (repetition->max != kNoLimit && repetition->max < repetition->min))
            return error("invalid repeat count", before.substr(0, repetition->length));
        take("?");  // which match is preferred does not matter
        if (const auto second = peek_repetition())
            return error("invalid nested repetition operator",
                         before.substr(0, before.size() - rest_.size() + second->length));
        return repeat(start, *repetition);
    }

    // Unrolls: x{2,4} becomes x x x? x?, x{2,} becomes x x+.
    Result<> repeat(std::size_t start, const Repetition &repetition)
    {
        const Program once(program_.begin() + static_cast<std::ptrdiff_t>(start), program_.end());
        const int length = static_cast<int>(once.size());
        const int copies = std::max({repetition.min, repetition.max, 1});
        if (start + (once.size() + 2) * static_cast<std::size_t>(copies) > kMaxInstructions)
            return error("expression too large", all_);

        program_.resize(start);
        const auto append = [&] { program_.insert(program_.end(), once.begin(), once.end()); };
        for (int i = 0; i < repetition.min; ++i)
            append();
        if (repetition.max == kNoLimit) {
            if (repetition.min == 0) {
                program_.push_back({.op = Op::kSplit, .first = 1, .second = length + 2});
                append();
                program_.push_back({.op = Op::kJump, .first = -(length + 1)});
            } else {
                program_.push_back({.op = Op::kSplit, .first = -length, .second = 1});
            }
        }
        for (int i = repetition.min; i < repetition.max; ++i) {
            program_.push_back({.op = Op::kSplit, .first = 1, .second = length + 1});
            append();
        }
        return {};
    }

    std::string_view all_;
    std::string_view rest_;
    Program program_;
    int nesting_ = 0;
};

}  // namespace

Result<RegexpProgram> compile_regexp(std::string_view expression)
{
    return Compiler(expression).compile();
}

}  // namespace tortie::tuning
