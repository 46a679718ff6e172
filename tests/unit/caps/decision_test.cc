// SPDX-License-Identifier: Apache-2.0
#include "caps/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/caps/fake_prober.h"

namespace tortie::caps {
namespace {

using test::findings_with;
using testing::HasSubstr;
using testing::StartsWith;

Decision decided(const Findings &findings, const Wishes &wishes = {})
{
    const auto decision = decide(findings, wishes);
    EXPECT_TRUE(decision) << decision.error().what();
    return decision ? *decision : Decision{};
}

TEST(Decision, AdoptsFlowsAtTcxWhereTheKernelCanEverything)
{
    const Decision decision = decided(findings_with({}));

    EXPECT_EQ(decision.netfilter, Netfilter::kNftables);
    EXPECT_EQ(decision.ebpf, Ebpf::kAdopted);
    EXPECT_EQ(decision.attach, Attach::kTcx);
    EXPECT_TRUE(decision.cgroup_hooks);
    EXPECT_TRUE(decision.full_possible);
    EXPECT_TRUE(decision.certain);
    EXPECT_EQ(decision.reason,
              "the kernel has what adopting flows needs; underneath: nf_tables has maps");
}

// One row a capability: what auto does when the kernel says no to it alone.
struct WithoutOne {
    Capability missing;
    Ebpf ebpf;
    Attach attach;
    bool cgroup_hooks;
    Netfilter netfilter = Netfilter::kNftables;
};

class DecisionWithoutOne : public testing::TestWithParam<WithoutOne> {};

TEST_P(DecisionWithoutOne, IsWhatTheRestAllows)
{
    const WithoutOne &row = GetParam();

    const Decision decision = decided(findings_with({{row.missing, Support::kNo}}));

    EXPECT_EQ(decision.ebpf, row.ebpf);
    EXPECT_EQ(decision.attach, row.attach);
    EXPECT_EQ(decision.cgroup_hooks, row.cgroup_hooks);
    EXPECT_EQ(decision.netfilter, row.netfilter);
    EXPECT_TRUE(decision.certain);
    const std::string named = std::string(name_of(row.missing)) + " is not there (asked for ";
    EXPECT_EQ(decision.reason.find(named) != std::string::npos,
              row.ebpf == Ebpf::kNone || row.netfilter == Netfilter::kIptables)
        << decision.reason;
}

constexpr WithoutOne harmless(Capability missing)
{
    return {missing, Ebpf::kAdopted, Attach::kTcx, true};
}
constexpr WithoutOne no_programs(Capability missing)
{
    return {missing, Ebpf::kNone, Attach::kNone, false};
}
constexpr WithoutOne no_hooks(Capability missing)
{
    return {missing, Ebpf::kAdopted, Attach::kTcx, false};
}

INSTANTIATE_TEST_SUITE_P(
    Capabilities, DecisionWithoutOne,
    testing::Values(no_programs(Capability::kBpfSyscall), harmless(Capability::kMemcgCharging),
                    harmless(Capability::kMemlock), harmless(Capability::kBpffs),
                    no_programs(Capability::kBpffsMounted), no_programs(Capability::kKernelBtf),
                    harmless(Capability::kModuleBtf), no_programs(Capability::kGlobalData),
                    no_programs(Capability::kLruHash), no_programs(Capability::kRingBuffer),
                    no_programs(Capability::kSchedCls), harmless(Capability::kClsact),
                    harmless(Capability::kClsBpf),
                    WithoutOne{Capability::kTcxLink, Ebpf::kAdopted, Attach::kClsact, true},
                    no_programs(Capability::kRedirectPeer), no_programs(Capability::kRedirectNeigh),
                    no_programs(Capability::kFibLookup), no_programs(Capability::kJiffies64),
                    no_programs(Capability::kKernelRead), no_programs(Capability::kCtKfuncs),
                    no_hooks(Capability::kCgroup2), no_hooks(Capability::kCgroupLink),
                    no_hooks(Capability::kCgroupConnect), no_hooks(Capability::kCgroupSendmsg),
                    no_hooks(Capability::kCgroupRecvmsg), no_hooks(Capability::kCgroupGetpeername),
                    no_hooks(Capability::kNetnsCookie), harmless(Capability::kNetkit),
                    WithoutOne{Capability::kNftMap, Ebpf::kAdopted, Attach::kTcx, true,
                               Netfilter::kIptables},
                    harmless(Capability::kNftNetdev), harmless(Capability::kIptablesNft),
                    harmless(Capability::kIptablesLegacy), harmless(Capability::kConntrackNetlink),
                    harmless(Capability::kOpenat2), harmless(Capability::kNoLockdown)),
    [](const auto &tested) { return std::string(name_of(tested.param.missing)); });

TEST(Decision, HasNoProgramsWithoutAPlaceToHangThemAt)
{
    const Decision decision = decided(
        findings_with({{Capability::kTcxLink, Support::kNo}, {Capability::kClsBpf, Support::kNo}}));

    EXPECT_EQ(decision.ebpf, Ebpf::kNone);
    EXPECT_THAT(decision.reason, StartsWith("cls_bpf is not there"));
}

TEST(Decision, HasNoProgramsWithoutMemoryForMaps)
{
    const Decision decision = decided(findings_with(
        {{Capability::kMemcgCharging, Support::kNo}, {Capability::kMemlock, Support::kUnknown}}));

    EXPECT_EQ(decision.ebpf, Ebpf::kNone);
    EXPECT_FALSE(decision.certain);
    EXPECT_THAT(decision.reason, StartsWith("memlock could not be told"));
}

// 5.10: everything but the functions of conntrack.
TEST(Decision, TakesWholeFlowsWithoutConntracksFunctionsOnlyWhereNobodyElseFilters)
{
    const Findings old = findings_with({{Capability::kCtKfuncs, Support::kNo}});

    const Decision beside_others = decided(old);
    const Decision alone =
        decided(old, {.datapath = Datapath::kAuto, .netfilter = {}, .others_filter = false});

    EXPECT_EQ(beside_others.ebpf, Ebpf::kNone);
    EXPECT_TRUE(beside_others.full_possible);
    EXPECT_EQ(alone.ebpf, Ebpf::kFull);
    EXPECT_EQ(alone.attach, Attach::kTcx);
}

TEST(Decision, TakesWholeFlowsWhereThatIsAskedForWhoeverFilters)
{
    const Decision decision = decided(findings_with({{Capability::kCtKfuncs, Support::kNo}}),
                                      {.datapath = Datapath::kEbpfFull, .netfilter = {}});

    EXPECT_EQ(decision.ebpf, Ebpf::kFull);
    EXPECT_THAT(decision.reason, StartsWith("ebpf-full is asked for"));
}

TEST(Decision, NeverAsksForProgramsWhereNetfilterIsAskedFor)
{
    const Decision decision =
        decided(findings_with({}), {.datapath = Datapath::kNetfilter, .netfilter = {}});

    EXPECT_EQ(decision.ebpf, Ebpf::kNone);
    EXPECT_EQ(decision.attach, Attach::kNone);
    EXPECT_FALSE(decision.cgroup_hooks);
    EXPECT_TRUE(decision.certain);
}

TEST(Decision, RefusesWhatIsAskedForAndCannotBeHad)
{
    const Findings findings = findings_with({{Capability::kLruHash, Support::kNo}});

    for (const Datapath datapath : {Datapath::kEbpf, Datapath::kEbpfFull}) {
        const auto decision = decide(findings, {.datapath = datapath, .netfilter = {}});

        ASSERT_FALSE(decision);
        EXPECT_EQ(decision.error().kind(), ErrorKind::kUnsupported);
        EXPECT_EQ(decision.error().what(), "datapath " + std::string(name_of(datapath)) +
                                               ": lru_hash is not there (asked for lru_hash)");
    }
}

TEST(Decision, FallsBackAndSaysThatItIsNotCertainWhenItCouldNotBeTold)
{
    const Decision decision = decided(findings_with({{Capability::kSchedCls, Support::kUnknown}}));

    EXPECT_EQ(decision.ebpf, Ebpf::kNone);
    EXPECT_FALSE(decision.certain);
    EXPECT_THAT(decision.reason, StartsWith("sched_cls could not be told (asked for sched_cls)"));
}

TEST(Decision, IsCertainAboutWhatDidNotCount)
{
    const Decision decision = decided(findings_with(
        {{Capability::kMemlock, Support::kUnknown}, {Capability::kModuleBtf, Support::kUnknown}}));

    EXPECT_EQ(decision.ebpf, Ebpf::kAdopted);
    EXPECT_TRUE(decision.certain);
}

TEST(Decision, KeepsToTheTierThatIsAskedFor)
{
    for (const Netfilter tier : {Netfilter::kNftables, Netfilter::kIptables}) {
        const Decision decision = decided(findings_with({{Capability::kNftMap, Support::kUnknown}}),
                                          {.datapath = Datapath::kAuto, .netfilter = tier});

        EXPECT_EQ(decision.netfilter, tier);
        EXPECT_TRUE(decision.certain);
        EXPECT_EQ(decision.ebpf, Ebpf::kAdopted);
    }
}

TEST(Decision, TriesNftablesWhenItCouldNotBeTold)
{
    const Decision decision = decided(findings_with({{Capability::kNftMap, Support::kUnknown}}));

    EXPECT_EQ(decision.netfilter, Netfilter::kNftables);
    EXPECT_FALSE(decision.certain);
}

TEST(Decision, NamesTheCureWhereBpffsIsOnlyNotMounted)
{
    const Decision decision = decided(findings_with({{Capability::kBpffsMounted, Support::kNo}}));

    EXPECT_THAT(decision.reason, HasSubstr("mount -t bpf bpf /sys/fs/bpf"));
}

TEST(Datapath, IsFoundByItsName)
{
    for (const auto datapath :
         {Datapath::kAuto, Datapath::kEbpf, Datapath::kEbpfFull, Datapath::kNetfilter})
        EXPECT_EQ(find_datapath(name_of(datapath)), datapath);
    EXPECT_EQ(find_datapath("iptables"), std::nullopt);
}

}  // namespace
}  // namespace tortie::caps
