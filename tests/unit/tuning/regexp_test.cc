// SPDX-License-Identifier: Apache-2.0
//
// Expected values are Go's (regexp/syntax of Go), where the comment does not say otherwise.
#include "tuning/regexp.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::tuning {
namespace {

using testing::HasSubstr;

bool matches(std::string_view expression, std::string_view text)
{
    const auto compiled = Regexp::compile(expression);
    EXPECT_TRUE(compiled) << expression << ": " << compiled.error().what();
    return compiled && compiled->matches_in(text);
}

std::string refusal(std::string_view expression)
{
    const auto compiled = Regexp::compile(expression);
    return compiled ? "accepted" : compiled.error().what();
}

TEST(Regexp, MatchesAnywhereUnlessAnchored)
{
    EXPECT_TRUE(matches("core", "net.core.somaxconn"));
    EXPECT_TRUE(matches("^net\\.core", "net.core.somaxconn"));
    EXPECT_FALSE(matches("^core", "net.core.somaxconn"));
    EXPECT_FALSE(matches("core$", "net.core.somaxconn"));
    EXPECT_TRUE(matches("", ""));
    EXPECT_TRUE(matches("^$", ""));
    EXPECT_FALSE(matches("^$", "x"));
    EXPECT_TRUE(matches("\\Anet\\z", "net"));
    EXPECT_FALSE(matches("\\Anet\\z", "net."));
}

TEST(Regexp, KnowsADotFromAnyCharacter)
{
    EXPECT_TRUE(matches("^net.core$", "net/core"));
    EXPECT_FALSE(matches("^net\\.core$", "net/core"));
    EXPECT_FALSE(matches("^a.b$", "a\nb"));
    EXPECT_TRUE(matches("^a[^x]b$", "a\nb"));
}

TEST(Regexp, TakesAlternativesAtTheirLevel)
{
    EXPECT_TRUE(matches("^(a|bc|)d$", "bcd"));
    EXPECT_TRUE(matches("^(a|bc|)d$", "d"));
    EXPECT_FALSE(matches("^(a|bc)d$", "abcd"));
    EXPECT_TRUE(matches("^a|b$", "axxxx"));
    EXPECT_TRUE(matches("^a|b$", "xxxxb"));
    EXPECT_TRUE(matches("^(?:x|y(?:z|w))+$", "xywyz"));
}

TEST(Regexp, Repeats)
{
    EXPECT_TRUE(matches("^a*$", ""));
    EXPECT_TRUE(matches("^a+b?$", "aaab"));
    EXPECT_FALSE(matches("^a+$", ""));
    EXPECT_TRUE(matches("^(ab){2,3}$", "ababab"));
    EXPECT_FALSE(matches("^(ab){2,3}$", "ab"));
    EXPECT_FALSE(matches("^(ab){2,3}$", "abababab"));
    EXPECT_TRUE(matches("^a{2,}$", "aaaa"));
    EXPECT_FALSE(matches("^a{2,}$", "a"));
    EXPECT_TRUE(matches("^a{0}b$", "b"));
    EXPECT_FALSE(matches("^a{0}b$", "ab"));
    EXPECT_TRUE(matches("^a{0,1}b$", "ab"));
    EXPECT_TRUE(matches("^(a*)*$", "aaa"));
    EXPECT_TRUE(matches("^(a|b*?)+?c$", "abbac"));
}

TEST(Regexp, ReadsABraceThatRepeatsNothingAsItself)
{
    EXPECT_TRUE(matches("^a{,2}$", "a{,2}"));
    EXPECT_TRUE(matches("^{x}$", "{x}"));
    EXPECT_TRUE(matches("^a{1", "a{1"));
}

TEST(Regexp, KnowsClasses)
{
    EXPECT_TRUE(matches("^[a-c_]+$", "abc_"));
    EXPECT_FALSE(matches("^[a-c_]+$", "d"));
    EXPECT_TRUE(matches("^[^a-c]$", "d"));
    EXPECT_TRUE(matches("^[]a]+$", "]a"));
    EXPECT_TRUE(matches("^[^]a]$", "b"));
    EXPECT_FALSE(matches("^[^]a]$", "]"));
    EXPECT_TRUE(matches("^[-a]+[a-]+$", "-a-a"));
    EXPECT_TRUE(matches("^[\\d.\\-]+$", "1.2-3"));
    EXPECT_TRUE(matches("^[[:alpha:]_[:digit:]]+$", "a_1"));
    EXPECT_TRUE(matches("^[[:^space:]]$", "x"));
    EXPECT_FALSE(matches("^[[:^space:]]$", " "));
    EXPECT_TRUE(matches("^[[.]+$", "[."));
    EXPECT_TRUE(matches("^\\d\\w\\s\\D\\W\\S$", "1_\ta.x"));
}

TEST(Regexp, KnowsWordBoundaries)
{
    EXPECT_TRUE(matches("\\bcore\\b", "net.core.x"));
    EXPECT_FALSE(matches("\\bcore\\b", "net.cores"));
    EXPECT_TRUE(matches("co\\Bre", "core"));
    EXPECT_FALSE(matches("core\\B", "core"));
}

TEST(Regexp, RefusesWhatRe2Refuses)
{
    const std::pair<const char *, const char *> cases[] = {
        {"a(b", "missing closing ): `a(b`"},
        {"a)b", "unexpected ): `a)b`"},
        {"[a", "missing closing ]: `[a`"},
        {"*a", "missing argument to repetition operator: `*`"},
        {"a|*", "missing argument to repetition operator: `*`"},
        {"(+)", "missing argument to repetition operator: `+`"},
        {"a**", "invalid nested repetition operator: `**`"},
        {"a{2}{3}", "invalid nested repetition operator: `{2}{3}`"},
        {"a{2,1}", "invalid repeat count: `{2,1}`"},
        {"a{1001}", "invalid repeat count: `{1001}`"},
        {"a\\", "trailing backslash at end of expression: ``"},
        {"[z-a]", "invalid character class range: `z-a`"},
        {"[[:nope:]]", "invalid character class range: `[:nope:]`"},
        {"(?=a)", "invalid or unsupported Perl syntax: `(?=`"},
    };
    for (const auto &[expression, why] : cases)
        EXPECT_EQ(refusal(expression), std::string("error parsing regexp: ") + why);
}

// RE2 reads these. Read as something else they might allow too much.
TEST(Regexp, RefusesWhatItDoesNotSupport)
{
    for (const char *expression : {"(?i)net", "(?s:a)", "(?P<name>a)", "\\pN", "\\x41", "\\QX\\E",
                                   "\\C", "\\123", "[\\pL]", "caf\xc3\xa9"})
        EXPECT_THAT(refusal(expression), HasSubstr("error parsing regexp: ")) << expression;
}

TEST(Regexp, RefusesWhatIsTooBig)
{
    EXPECT_THAT(refusal("((a{100}){100}){100}"), HasSubstr("expression too large"));
    EXPECT_THAT(refusal(std::string(20'000, 'a')), HasSubstr("expression too large"));
    EXPECT_THAT(refusal(std::string(5'000, '(')), HasSubstr("expression nests too deeply"));
}

TEST(Regexp, NeverMatchesATextThatIsNotAscii)
{
    EXPECT_FALSE(matches(".*", "caf\xc3\xa9"));
}

TEST(Regexp, IsNotSlowedDownByNestedRepetition)
{
    const std::string text = std::string(256, 'a') + '!';
    const auto start = std::chrono::steady_clock::now();

    EXPECT_FALSE(matches("^((a+)+)+$", text));
    EXPECT_FALSE(matches("^(a?){200}a{200}$", std::string(100, 'a')));

    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace tortie::tuning
