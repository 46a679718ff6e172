// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/scope_exit.h"

namespace tortie {
namespace {

Result<std::unique_ptr<int>> make(bool works)
{
    if (!works)
        return fail_errno(ENODEV, "find cali1234");
    return std::make_unique<int>(7);
}

Result<int> doubled(bool works)
{
    TORTIE_TRY(const auto value, make(works));
    return *value * 2;
}

Result<> in_steps(std::vector<std::string> &undone, bool works)
{
    ScopeExit undo_first([&] { undone.emplace_back("first"); });
    ScopeExit undo_second([&] { undone.emplace_back("second"); });
    if (auto got = doubled(works); !got)
        return fail(std::move(got).error().within("publish 8080/tcp"));
    undo_first.dismiss();
    undo_second.dismiss();
    return {};
}

TEST(Result, TryMovesTheValueOut)
{
    EXPECT_EQ(doubled(true).value(), 14);
}

TEST(Result, ErrorReadsOutermostFirstAndKeepsKindAndErrno)
{
    std::vector<std::string> undone;
    const auto got = in_steps(undone, false);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().what(), "publish 8080/tcp: find cali1234: No such device");
    EXPECT_EQ(got.error().kind(), ErrorKind::kNotFound);
    EXPECT_EQ(got.error().sys_errno(), ENODEV);
}

TEST(ScopeExit, UndoesInReverseOrderUnlessDismissed)
{
    std::vector<std::string> undone;
    EXPECT_TRUE(in_steps(undone, true).has_value());
    EXPECT_TRUE(undone.empty());
    EXPECT_FALSE(in_steps(undone, false).has_value());
    EXPECT_EQ(undone, (std::vector<std::string>{"second", "first"}));
}

}  // namespace
}  // namespace tortie
