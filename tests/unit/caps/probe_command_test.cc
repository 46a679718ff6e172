// SPDX-License-Identifier: Apache-2.0
#include "install/probe/probe_command.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "caps/report.h"
#include "unit/caps/fake_prober.h"

namespace tortie {
namespace {

using caps::Capability;
using caps::Support;
using test::FakeProber;
using test::findings_with;
using testing::HasSubstr;

Result<ProbeArguments> parsed(std::vector<const char *> words)
{
    return parse_probe_arguments(words);
}

TEST(ProbeCommand, ShowsEachCapabilityWithItsEvidenceAndTheDecision)
{
    FakeProber prober(findings_with({{Capability::kTcxLink, Support::kNo}}));

    const auto shown = run_probe({}, prober);

    ASSERT_TRUE(shown) << shown.error().what();
    for (const Capability capability : caps::all_capabilities())
        EXPECT_THAT(*shown, HasSubstr(std::string(caps::name_of(capability)) + "  "));
    EXPECT_THAT(*shown, HasSubstr("tcx_link            no       asked for tcx_link\n"));
    EXPECT_THAT(*shown, HasSubstr("\nnetfilter     nftables\nebpf          adopted\n"
                                  "attach        clsact\ncgroup hooks  yes\nbecause       "));
}

TEST(ProbeCommand, PrintsTheReportThatANodeKeeps)
{
    FakeProber prober(findings_with({{Capability::kTcxLink, Support::kNo}}));
    ProbeArguments arguments;
    arguments.json = true;

    const auto shown = run_probe(arguments, prober);

    ASSERT_TRUE(shown);
    const auto report = caps::parse_report(*shown);
    ASSERT_TRUE(report) << report.error().what();
    EXPECT_EQ(report->findings, findings_with({{Capability::kTcxLink, Support::kNo}}));
    EXPECT_THAT(*shown, HasSubstr("\"attach\": \"clsact\""));
}

TEST(ProbeCommand, DecidesAsIfTheKernelHadNotWhatIsSwitchedOff)
{
    FakeProber prober(findings_with({}));
    ProbeArguments arguments;
    arguments.disabled = "tcx_link,ct_kfuncs";

    const auto shown = run_probe(arguments, prober);

    ASSERT_TRUE(shown);
    EXPECT_THAT(*shown, HasSubstr("ebpf          none (full where nobody else filters)"));
    EXPECT_THAT(*shown, HasSubstr("switched off by TORTIE_DISABLE"));
}

TEST(ProbeCommand, RefusesWhatItDoesNotKnow)
{
    FakeProber prober(findings_with({}));
    ProbeArguments unknown_name;
    unknown_name.disabled = "tcx";
    ProbeArguments unknown_wish;
    unknown_wish.datapath = "fast";

    EXPECT_EQ(run_probe(unknown_name, prober).error().kind(), ErrorKind::kInvalidInput);
    EXPECT_EQ(run_probe(unknown_wish, prober).error().what(),
              "datapath must be auto, ebpf, ebpf-full or netfilter, not fast");
    EXPECT_EQ(parsed({"--verbose"}).error().what(), "cannot make sense of --verbose");
    EXPECT_FALSE(parsed({"--datapath"}));
    EXPECT_EQ(prober.probed, 0);
}

TEST(ProbeCommand, FailsWhenTheWishCannotBeHad)
{
    FakeProber prober(findings_with({{Capability::kLruHash, Support::kNo}}));
    const auto arguments = parsed({"--datapath", "ebpf"});
    ASSERT_TRUE(arguments);

    const auto shown = run_probe(*arguments, prober);

    ASSERT_FALSE(shown);
    EXPECT_EQ(shown.error().kind(), ErrorKind::kUnsupported);
}

TEST(ProbeCommand, ReadsItsArguments)
{
    const auto arguments = parsed({"--json", "--datapath", "ebpf-full"});
    ASSERT_TRUE(arguments);

    EXPECT_TRUE(arguments->json);
    EXPECT_EQ(arguments->datapath, "ebpf-full");
    EXPECT_TRUE(parsed({"-h"})->help);
}

}  // namespace
}  // namespace tortie
