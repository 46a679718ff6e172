// SPDX-License-Identifier: Apache-2.0
#include "caps/capability.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/caps/fake_prober.h"

namespace tortie::caps {
namespace {

using testing::HasSubstr;

TEST(Capability, IsFoundByItsNameAndNoTwoShareOne)
{
    std::set<std::string_view> names;

    for (const Capability capability : all_capabilities()) {
        EXPECT_EQ(find_capability(name_of(capability)), capability);
        EXPECT_FALSE(purpose_of(capability).empty());
        EXPECT_TRUE(names.insert(name_of(capability)).second) << name_of(capability);
    }

    EXPECT_EQ(names.size(), kCapabilities);
    EXPECT_EQ(find_capability("tcx"), std::nullopt);
}

TEST(Capability, SupportHasThreeNames)
{
    for (const Support support : {Support::kYes, Support::kNo, Support::kUnknown})
        EXPECT_EQ(find_support(name_of(support)), support);
    EXPECT_EQ(find_support("maybe"), std::nullopt);
}

TEST(Disable, SwitchesOffWhatIsNamedAndNothingElse)
{
    Findings findings = test::findings_with({});

    const auto set = parse_capabilities(" tcx_link,,lru_hash ");
    ASSERT_TRUE(set) << set.error().what();
    switch_off(findings, *set);

    EXPECT_EQ(findings[Capability::kTcxLink],
              (Finding{Support::kNo, "switched off by TORTIE_DISABLE"}));
    EXPECT_EQ(findings[Capability::kLruHash].support, Support::kNo);
    for (const Capability capability : all_capabilities()) {
        const bool named = capability == Capability::kTcxLink || capability == Capability::kLruHash;
        EXPECT_EQ(findings.has(capability), !named) << name_of(capability);
    }
}

TEST(Disable, TakesNothingForNothing)
{
    const auto set = parse_capabilities("");

    ASSERT_TRUE(set);
    EXPECT_TRUE(set->none());
}

TEST(Disable, RefusesANameThatThereIsNotAndListsThoseThereAre)
{
    const auto set = parse_capabilities("tcx_link,TCX\n");

    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().kind(), ErrorKind::kInvalidInput);
    EXPECT_THAT(set.error().what(), HasSubstr("no capability is named \"TCX\"; there are"));
    EXPECT_THAT(set.error().what(), HasSubstr(" tcx_link "));
}

}  // namespace
}  // namespace tortie::caps
