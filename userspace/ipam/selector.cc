// SPDX-License-Identifier: Apache-2.0
#include "ipam/selector.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "base/strings.h"

namespace tortie::ipam {
namespace {

constexpr std::size_t kMaxText = 65536;
constexpr std::size_t kMaxLabel = 512;
constexpr unsigned kMaxDepth = 64;

bool is_label_char(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '/' ||
           c == '-';
}

}  // namespace

// Recursive descent, one function a level of the grammar: or, and, unary, term.
class SelectorParser {
public:
    explicit SelectorParser(std::string_view text) : text_(text) {}

    Result<Selector> parse()
    {
        skip_blanks();
        if (at_ == text_.size()) {
            add({});
            return std::move(selector_);
        }
        TORTIE_DO(any_of(0));
        if (at_ != text_.size())
            return fail(unexpected("end of the selector"));
        return std::move(selector_);
    }

private:
    using Kind = Selector::Kind;
    using Node = Selector::Node;

    Result<std::size_t> any_of(unsigned depth) { return chain("||", Kind::kOr, depth); }

    // Operands joined by one operator; a single operand stands for itself.
    Result<std::size_t> chain(std::string_view joint, Kind kind, unsigned depth)
    {
        if (depth > kMaxDepth)
            return fail(ErrorKind::kInvalidInput, "selector is nested too deep");
        std::vector<std::size_t> operands;
        do {
            TORTIE_TRY(const std::size_t operand,
                       kind == Kind::kOr ? chain("&&", Kind::kAnd, depth) : unary(depth));
            operands.push_back(operand);
        } while (take(joint));
        if (operands.size() == 1)
            return operands.front();
        return add({kind, {}, {}, std::move(operands)});
    }

    Result<std::size_t> unary(unsigned depth)
    {
        bool negated = false;
        while (take("!"))
            negated = !negated;
        TORTIE_TRY(const std::size_t operand, primary(depth));
        if (!negated)
            return operand;
        return add({Kind::kNot, {}, {}, {operand}});
    }

    Result<std::size_t> primary(unsigned depth)
    {
        if (take("(")) {
            TORTIE_TRY(const std::size_t inner, any_of(depth + 1));
            TORTIE_DO(expect(")"));
            return inner;
        }
        TORTIE_TRY(const std::string label, read_label());
        if ((label == "all" || label == "global") && take("(")) {
            TORTIE_DO(expect(")"));
            return add({});
        }
        if (label == "has" && take("(")) {
            TORTIE_TRY(std::string inner, read_label());
            TORTIE_DO(expect(")"));
            return add({Kind::kHas, std::move(inner), {}, {}});
        }
        return comparison(label);
    }

    Result<std::size_t> comparison(const std::string &label)
    {
        if (take("=="))
            return with_value(Kind::kEqual, label);
        if (take("!="))
            return with_value(Kind::kNotEqual, label);
        if (take_word("contains"))
            return with_value(Kind::kContains, label);
        if (take_word("starts") && take_word("with"))
            return with_value(Kind::kStartsWith, label);
        if (take_word("ends") && take_word("with"))
            return with_value(Kind::kEndsWith, label);
        if (take_word("in"))
            return with_set(Kind::kIn, label);
        if (take_word("notin") || (take_word("not") && take_word("in")))
            return with_set(Kind::kNotIn, label);
        return fail(unexpected("an operator"));
    }

    Result<std::size_t> with_value(Kind kind, const std::string &label)
    {
        TORTIE_TRY(std::string value, read_literal());
        return add({kind, label, {std::move(value)}, {}});
    }

    Result<std::size_t> with_set(Kind kind, const std::string &label)
    {
        std::vector<std::string> values;
        TORTIE_DO(expect("{"));
        while (!take("}")) {
            if (!values.empty())
                TORTIE_DO(expect(","));
            TORTIE_TRY(std::string value, read_literal());
            values.push_back(std::move(value));
        }
        return add({kind, label, std::move(values), {}});
    }

    Result<std::string> read_label()
    {
        const std::size_t start = at_;
        while (at_ < text_.size() && is_label_char(text_[at_]))
            ++at_;
        if (at_ == start || at_ - start > kMaxLabel)
            return fail(unexpected("a label"));
        std::string label(text_.substr(start, at_ - start));
        skip_blanks();
        return label;
    }

    Result<std::string> read_literal()
    {
        const char quote = at_ < text_.size() ? text_[at_] : '\0';
        if (quote != '\'' && quote != '"')
            return fail(unexpected("a quoted text"));
        const std::size_t end = text_.find(quote, at_ + 1);
        if (end == std::string_view::npos)
            return fail(unexpected("the end of the quoted text"));
        std::string value(text_.substr(at_ + 1, end - at_ - 1));
        at_ = end + 1;
        skip_blanks();
        return value;
    }

    bool take(std::string_view token)
    {
        if (text_.substr(at_, token.size()) != token)
            return false;
        // "!=" is one token, and no "!".
        if (token == "!" && text_.substr(at_, 2) == "!=")
            return false;
        at_ += token.size();
        skip_blanks();
        return true;
    }

    bool take_word(std::string_view word)
    {
        const std::size_t end = at_ + word.size();
        if (end < text_.size() && is_label_char(text_[end]))
            return false;
        return take(word);
    }

    Result<void> expect(std::string_view token)
    {
        if (!take(token))
            return fail(unexpected(token));
        return {};
    }

    void skip_blanks()
    {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0)
            ++at_;
    }

    std::size_t add(Node node)
    {
        selector_.nodes_.push_back(std::move(node));
        return selector_.nodes_.size() - 1;
    }

    Error unexpected(std::string_view wanted) const
    {
        return {ErrorKind::kInvalidInput, "selector " + go_quoted(text_.substr(0, 256)) +
                                              ": expected " + std::string(wanted) + " at byte " +
                                              std::to_string(at_)};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    Selector selector_;
};

Result<Selector> Selector::parse(std::string_view text)
{
    if (text.size() > kMaxText)
        return fail(ErrorKind::kInvalidInput, "selector is longer than 65536 bytes");
    return SelectorParser(text).parse();
}

bool Selector::matches(const kube::StringMap &labels) const
{
    return matches(nodes_.size() - 1, labels);
}

// As deep as the parser let the text be nested.
// NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxDepth
bool Selector::matches(std::size_t node, const kube::StringMap &labels) const
{
    const Node &at = nodes_[node];
    const auto sub = [&](std::size_t operand) { return matches(operand, labels); };
    switch (at.kind) {
    case Kind::kAll:
        return true;
    case Kind::kNot:
        return !sub(at.operands.front());
    case Kind::kAnd:
        return std::all_of(at.operands.begin(), at.operands.end(), sub);
    case Kind::kOr:
        return std::any_of(at.operands.begin(), at.operands.end(), sub);
    default:
        break;
    }

    const auto found = labels.find(at.label);
    const bool negative = at.kind == Kind::kNotEqual || at.kind == Kind::kNotIn;
    if (found == labels.end())
        return negative;
    const std::string_view value = found->second;
    switch (at.kind) {
    case Kind::kHas:
        return true;
    case Kind::kContains:
        return value.find(at.values.front()) != std::string_view::npos;
    case Kind::kStartsWith:
        return value.starts_with(at.values.front());
    case Kind::kEndsWith:
        return value.ends_with(at.values.front());
    default:
        return negative ==
               (std::find(at.values.begin(), at.values.end(), value) == at.values.end());
    }
}

bool selects_all(std::string_view text)
{
    const std::string_view bare = trim(text);
    return bare.empty() || bare == "all()";
}

}  // namespace tortie::ipam
