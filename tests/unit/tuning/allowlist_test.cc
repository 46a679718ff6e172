// SPDX-License-Identifier: Apache-2.0
#include "tuning/allowlist.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::tuning {
namespace {

using testing::HasSubstr;

TEST(Allowlist, AllowsWhatOneLineMatches)
{
    const Allowlist list = Allowlist::parse("  ^net\\.core\\.  \r\n\n\tsomaxconn\n");

    EXPECT_TRUE(list.check("net.core.rmem_max"));
    EXPECT_TRUE(list.check("net/core/somaxconn"));
    EXPECT_FALSE(list.check("net/core/rmem_max"));
}

TEST(Allowlist, NamesTheKeyAndTheLines)
{
    const auto refused = Allowlist::parse("a\n b \n").check("net.x");

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what(),
              "Sysctl net.x is not allowed. Only the following sysctls are allowed: [a b]");
}

TEST(Allowlist, AllowsNothingWhenItIsEmpty)
{
    const auto refused = Allowlist::parse(" \n\n").check("net.x");

    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().what(), HasSubstr("allowed: []"));
}

TEST(Allowlist, MeetsABadLineOnlyWhenNoLineBeforeItMatches)
{
    const Allowlist list = Allowlist::parse("good\n(bad\n");

    EXPECT_TRUE(list.check("good"));
    EXPECT_EQ(list.check("other").error().what(),
              "error parsing regexp: missing closing ): `(bad`");
}

TEST(Allowlist, NeverAllowsAKeyOfAbsurdLength)
{
    EXPECT_FALSE(Allowlist::parse(".*\n").check(std::string(257, 'a')));
}

TEST(Allowlist, AllowsEverythingWhenThereIsNoFile)
{
    const test::TempDir dir;

    EXPECT_TRUE(Allowlist::load(dir / "absent").value().check("anything"));
}

TEST(Allowlist, IsReadThroughALink)
{
    const test::TempDir dir;
    std::ofstream(dir / "real") << "^a$\n";
    std::filesystem::create_symlink("real", dir / "link");

    const Allowlist list = Allowlist::load(dir / "link").value();

    EXPECT_TRUE(list.check("a"));
    EXPECT_FALSE(list.check("b"));
}

TEST(Allowlist, DoesNotAllowWhatItCannotRead)
{
    const test::TempDir dir;
    std::ofstream(dir / "big") << std::string(300 << 10, 'a');

    EXPECT_FALSE(Allowlist::load(dir.path()));  // a directory
    EXPECT_FALSE(Allowlist::load(dir / "big"));
    EXPECT_FALSE(Allowlist::load("/dev/null/allowlist.conf"));
}

}  // namespace
}  // namespace tortie::tuning
