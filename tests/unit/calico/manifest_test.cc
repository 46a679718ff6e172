// SPDX-License-Identifier: Apache-2.0
#include "calico/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/memory_store.h"
#include "harness/temp_dir.h"
#include "store/local.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string pool(const std::string &spec, const std::string &name = "p")
{
    return "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: " + name +
           "}\nspec: {" + spec + "}\n";
}

std::string refusal(const std::string &text)
{
    const auto resources = read_manifest(text);
    return resources ? "accepted" : resources.error().what();
}

TEST(Manifest, ReadsEveryKindOfBothGroups)
{
    const auto resources = read_manifest(
        "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata:\n  name: lab-v4\nspec:\n"
        "  cidr: 10.80.0.0/16\n  blockSize: 29\n  natOutgoing: true\n  ipipMode: Always\n"
        "---\n{apiVersion: crd.projectcalico.org/v1, kind: IPAMConfig, metadata: {name: default},"
        " spec: {strictAffinity: true, autoAllocateBlocks: true, maxBlocksPerHost: 4}}\n"
        "---\napiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: projectcalico.org/v3, kind: IPReservation, metadata: {name: gw},"
        " spec: {reservedCIDRs: [10.80.3.8/31, 10.80.0.1]}}\n"
        "- {apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-a,"
        " labels: {zone: z1}}}\n"
        "- {apiVersion: projectcalico.org/v3, kind: ClusterInformation, metadata: {name: default},"
        " spec: {datastoreReady: true}}\n");

    ASSERT_TRUE(resources.has_value()) << resources.error().what();
    ASSERT_THAT(*resources, SizeIs(5));
    const auto &lab = std::get<store::Pool>((*resources)[0].document);
    EXPECT_EQ(lab.name, "lab-v4");
    EXPECT_EQ(lab.block_size, 29);
    EXPECT_EQ(lab.node_selector, "all()");
    EXPECT_THAT(lab.allowed_uses, ElementsAre("Workload", "Tunnel"));
    EXPECT_THAT(lab.unknown.spec, HasSubstr("\"natOutgoing\":true"));
    EXPECT_EQ(std::get<store::IpamConfig>((*resources)[1].document).max_blocks_per_host, 4);
    EXPECT_THAT(std::get<store::Reservation>((*resources)[2].document).cidrs, SizeIs(2));
    EXPECT_EQ(std::get<store::Node>((*resources)[3].document).labels.at("zone"), "z1");
    EXPECT_EQ(std::get<store::ClusterInformation>((*resources)[4].document).datastore_ready, true);
}

TEST(Manifest, FillsInTheBlockSizeOfTheFamily)
{
    const auto v6 = read_manifest(pool("cidr: \"fd00:80::/48\""));
    ASSERT_TRUE(v6.has_value()) << v6.error().what();
    EXPECT_EQ(std::get<store::Pool>(v6->front().document).block_size, 122);
}

TEST(Manifest, RefusesPoolsThatNoPodCouldUse)
{
    EXPECT_EQ(refusal(pool("cidr: 10.0.0.0/24")), "accepted");
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.1/24")), HasSubstr("did you mean 10.0.0.0/24?"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0")), HasSubstr("is not a CIDR"));
    EXPECT_THAT(refusal(pool("blockSize: 26")), HasSubstr("is not a CIDR"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, blockSize: 19")), HasSubstr("from 20 to 32"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/28")), HasSubstr("smaller than one of its blocks"));
    EXPECT_EQ(refusal(pool("cidr: 10.0.0.0/28, disabled: true")), "accepted");
    EXPECT_THAT(refusal(pool("cidr: 169.254.1.0/24")), HasSubstr("link-local"));
    EXPECT_THAT(refusal(pool("cidr: 0.0.0.0/0")), HasSubstr("link-local"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, ipipMode: Sometimes")), HasSubstr("ipipMode"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, ipipMode: Always, vxlanMode: Always")),
                HasSubstr("together"));
    EXPECT_THAT(refusal(pool("cidr: \"fd00::/48\", ipipMode: Always")), HasSubstr("IPv6"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, nodeSelector: zone ==")),
                HasSubstr("spec.nodeSelector"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, nodeSelector: global()")), HasSubstr("global()"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, allowedUses: [Pods]")), HasSubstr("allowedUses"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, allowedUses: [LoadBalancer, Workload]")),
                HasSubstr("combined"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, blocksize: 26")),
                HasSubstr("spec.blocksize: unknown field"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24, natOutgoing: \"true\"")),
                HasSubstr("must be true or false"));
    EXPECT_THAT(refusal(pool("cidr: 10.0.0.0/24", "Upper")), HasSubstr("metadata.name"));
}

TEST(Manifest, RefusesOtherThings)
{
    EXPECT_THAT(refusal(""), HasSubstr("no resource"));
    EXPECT_THAT(refusal("- 1"), HasSubstr("document 1: not a resource"));
    EXPECT_THAT(refusal("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"),
                HasSubstr("Pod/p: no resource of this program"));
    const std::string config =
        "apiVersion: projectcalico.org/v3\nkind: IPAMConfiguration\n"
        "metadata: {name: default}\nspec: ";
    EXPECT_THAT(refusal(config + "{strictAffinity: false, autoAllocateBlocks: false}"),
                HasSubstr("Cannot disable 'StrictAffinity' and 'AutoAllocateBlocks'"));
    EXPECT_THAT(refusal(config + "{maxBlocksPerHost: 2}"),
                HasSubstr("MaxBlocksPerHost requires StrictAffinity to be enabled"));
}

class ApplyTest : public ::testing::Test {
protected:
    Result<std::vector<Applied>> apply_text(const std::string &text)
    {
        return apply(*store_, read_manifest(text).value(), Deadline::in(5s));
    }

    test::TempDir temp_;
    std::unique_ptr<store::Store> store_ = store::open_local(temp_ / "store.db");
};

TEST_F(ApplyTest, CreatesThenLeavesThenChangesAndSaysWhat)
{
    const auto first = apply_text(pool("cidr: 10.0.0.0/24, natOutgoing: true"));
    ASSERT_TRUE(first.has_value()) << first.error().what();
    EXPECT_EQ(first->front().resource, "IPPool/p");
    EXPECT_EQ(first->front().outcome, "created");

    const auto again = apply_text(pool("cidr: 10.0.0.0/24, natOutgoing: true"));
    ASSERT_TRUE(again.has_value()) << again.error().what();
    EXPECT_EQ(again->front().outcome, "unchanged");
    EXPECT_THAT(again->front().changes, IsEmpty());

    const auto changed = apply_text(pool("cidr: 10.0.0.0/24, natOutgoing: false, disabled: true"));
    ASSERT_TRUE(changed.has_value()) << changed.error().what();
    EXPECT_EQ(changed->front().outcome, "configured");
    EXPECT_THAT(changed->front().changes,
                ElementsAre("spec.disabled: absent -> true", "spec.natOutgoing: true -> false"));
}

TEST_F(ApplyTest, EveryKindIsUnchangedTheSecondTime)
{
    const std::string text =
        pool("cidr: 10.0.0.0/24") +
        "---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: node-a, labels: {a: "
        "b}}\n"
        "---\napiVersion: projectcalico.org/v3\nkind: IPReservation\nmetadata: {name: r}\n"
        "spec: {reservedCIDRs: [10.0.0.1]}\n"
        "---\napiVersion: projectcalico.org/v3\nkind: IPAMConfiguration\nmetadata: {name: "
        "default}\n"
        "spec: {strictAffinity: true, autoAllocateBlocks: true}\n"
        "---\napiVersion: projectcalico.org/v3\nkind: ClusterInformation\n"
        "metadata: {name: default}\nspec: {datastoreReady: true}\n";
    ASSERT_TRUE(apply_text(text).has_value());
    const auto again = apply_text(text);
    ASSERT_TRUE(again.has_value());
    for (const Applied &each : *again)
        EXPECT_EQ(each.outcome, "unchanged")
            << each.resource << ' ' << (each.changes.empty() ? "" : each.changes.front());
}

TEST_F(ApplyTest, RefusesWhatMustNotChangeAndOverlaps)
{
    ASSERT_TRUE(apply_text(pool("cidr: 10.0.0.0/24")).has_value());

    EXPECT_THAT(apply_text(pool("cidr: 10.0.1.0/24")).error().what(),
                HasSubstr("spec.cidr: cannot be changed from 10.0.0.0/24"));
    EXPECT_THAT(apply_text(pool("cidr: 10.0.0.0/24, blockSize: 28")).error().what(),
                HasSubstr("spec.blockSize: cannot be changed from 26"));
    EXPECT_THAT(apply_text(pool("cidr: 10.0.0.0/16", "q")).error().what(),
                HasSubstr("CIDR overlaps with IPPool(p)"));
    const auto twice =
        apply_text(pool("cidr: 10.1.0.0/24", "a") + "---\n" + pool("cidr: 10.1.0.0/24", "b"));
    ASSERT_FALSE(twice.has_value());
    const store::Query query = store::ListPools{};
    EXPECT_THAT(
        store::all<store::Pool>(store_->read({&query, 1}, Deadline::in(5s)).front()).value(),
        SizeIs(1));
}

TEST(Apply, LeavesNodesOfKubernetesAlone)
{
    test::MemoryStore store;
    auto node = read_manifest(
        "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: node-a, labels: {a: b}}\n");
    const auto applied = apply(store, *std::move(node), Deadline::in(5s));
    ASSERT_FALSE(applied.has_value());
    EXPECT_THAT(applied.error().what(), HasSubstr("Kubernetes' own"));
}

}  // namespace
}  // namespace tortie::calico
