// SPDX-License-Identifier: Apache-2.0
//
// Which way portmap takes by what the kernel was found to do, and by what TORTIE_DISABLE takes
// away.
#include <unistd.h>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "caps/report.h"
#include "netns/portmap_node.h"

namespace tortie {
namespace {

using test::kPodOne;
using testing::HasSubstr;

constexpr const char *kOwnReport = "/run/tortie/capabilities";
constexpr const char *kPrograms = "/sys/fs/bpf/tortie";

constexpr test::Way kAuto = {"auto", "nftables", false, "auto"};

class PortmapByKernel : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        TORTIE_NEEDS_BPF();
        ASSERT_TRUE(remove_file(kOwnReport));
    }

    static test::PluginOutcome add(const test::PortmapNode &node, const std::string &disabled)
    {
        const test::PortmapCall call{.mappings = test::tcp(8080, 80)};
        auto env = node.env_of("ADD", kPodOne, call);
        if (!disabled.empty())
            env["TORTIE_DISABLE"] = disabled;
        const test::PluginCall plugin{.binary = test::ours(),
                                      .env = env,
                                      .input = node.config_of(kPodOne, call),
                                      .arguments = {}};
        return node.node().inside([&] { return test::run_plugin(plugin); });
    }

    static bool is_published(const test::PortmapNode &node)
    {
        const auto rules = node.node().try_run({"nft", "list", "table", "inet", "tortie"});
        return rules && rules->find("tcp . 8080") != std::string::npos;
    }

    static bool has_programs() { return ::access(kPrograms, F_OK) == 0; }
};

TEST_F(PortmapByKernel, AsksItOnceAndKeepsTheAnswer)
{
    const test::PortmapNode node(kAuto);

    const auto first = add(node, "");
    const auto kept = read_file(kOwnReport, caps::kMaxReportBytes);
    ASSERT_TRUE(remove_file(kOwnReport));
    const auto second = add(node, "");

    EXPECT_EQ(first.status, 0) << first.out;
    EXPECT_TRUE(has_programs()) << first.err;
    ASSERT_TRUE(kept) << kept.error().what();
    EXPECT_TRUE(caps::parse_report(*kept));
    EXPECT_EQ(second.status, 0) << second.out;
    EXPECT_NE(::access(kOwnReport, F_OK), 0) << "programs that are loaded are the answer";
}

TEST_F(PortmapByKernel, LeavesPortsToNetfilterWithoutWhatProgramsNeed)
{
    const test::PortmapNode node(kAuto);

    const auto added = add(node, "lru_hash");

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_TRUE(is_published(node));
    EXPECT_FALSE(has_programs());
}

TEST_F(PortmapByKernel, FailsAndPublishesNothingWhereProgramsAreAskedFor)
{
    const test::PortmapNode node(test::kEbpf);

    const auto added = add(node, "ct_kfuncs");

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("\"code\": 50"));
    EXPECT_THAT(added.out, HasSubstr("ct_kfuncs is not there (switched off by TORTIE_DISABLE)"));
    EXPECT_FALSE(is_published(node));
    EXPECT_FALSE(has_programs());
}

TEST_F(PortmapByKernel, RefusesANameThatThereIsNot)
{
    const test::PortmapNode node(kAuto);

    const auto added = add(node, "tcx");

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("TORTIE_DISABLE: no capability is named"));
    EXPECT_THAT(added.out, HasSubstr("there are bpf_syscall "));
    EXPECT_FALSE(is_published(node));
}

}  // namespace
}  // namespace tortie
