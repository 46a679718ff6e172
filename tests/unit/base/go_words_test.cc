// SPDX-License-Identifier: Apache-2.0
//
// Texts that users grep for in the logs of the Go plugins.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/strings.h"

namespace tortie {
namespace {

TEST(GoQuoted, EscapesWhatQuotesAndLinesWouldBreak)
{
    EXPECT_EQ(go_quoted("eth0"), R"("eth0")");
    EXPECT_EQ(go_quoted("a\"b\\c"), R"("a\"b\\c")");
    EXPECT_EQ(go_quoted("a\nb\tc\rd\ae\bf\fg\vh"), R"("a\nb\tc\rd\ae\bf\fg\vh")");
    EXPECT_EQ(go_quoted(std::string_view("\x00\x1f\x7f", 3)), R"("\x00\x1f\x7f")");
    EXPECT_EQ(go_quoted("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
}

TEST(GoError, KeepsKindAndNumberAndUsesGosWords)
{
    const Error error = go_error(ENOENT, "open /x");

    EXPECT_EQ(error.what(), "open /x: no such file or directory");
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_EQ(error.sys_errno(), ENOENT);
}

}  // namespace
}  // namespace tortie
