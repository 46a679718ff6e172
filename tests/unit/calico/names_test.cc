// SPDX-License-Identifier: Apache-2.0
// Vectors: spec calico-cni.md 3.8, 7.6.
#include <string>

#include <gtest/gtest.h>

#include "calico/mesos_labels.h"
#include "calico/network_profile.h"
#include "calico/workload_name.h"

namespace tortie::calico {
namespace {

const WorkloadIds kPod{.node = "node-1",
                       .orchestrator = "k8s",
                       .workload = {},
                       .pod = "pod-name",
                       .container_id = {},
                       .endpoint = "eth0"};

WorkloadIds container(const std::string &id)
{
    return {.node = "node-1",
            .orchestrator = "cni",
            .workload = {},
            .pod = {},
            .container_id = id,
            .endpoint = "eth0"};
}

WorkloadIds workload(const std::string &orchestrator, const std::string &name)
{
    return {.node = "node-1",
            .orchestrator = orchestrator,
            .workload = name,
            .pod = {},
            .container_id = {},
            .endpoint = "abcdefgh"};
}

std::string refusal(const Result<std::string> &result)
{
    return result ? "accepted" : result.error().what();
}

TEST(WorkloadName, DoublesDashesInsideOfParts)
{
    EXPECT_EQ(workload_name(kPod).value(), "node--1-k8s-pod--name-eth0");
    EXPECT_EQ(workload_name(container("abcdefa0123456")).value(),
              "node--1-cni-abcdefa0123456-eth0");
    EXPECT_EQ(workload_name(workload("libnetwork", "")).value(),
              "node--1-libnetwork-libnetwork-abcdefgh");
    EXPECT_EQ(workload_name(workload("foo", "foo-foo")).value(), "node--1-foo-foo--foo-abcdefgh");
}

TEST(WorkloadName, NamesTheFieldThatIsWrong)
{
    WorkloadIds ids = kPod;
    ids.orchestrator.clear();
    EXPECT_EQ(refusal(workload_name(ids)),
              "error with field orchestrator = '' (field should be assigned)");
    ids = kPod;
    ids.pod.clear();
    EXPECT_EQ(refusal(workload_name(ids)), "error with field pod = '' (field should be assigned)");
    EXPECT_EQ(refusal(workload_name(container("-abcdefa0123456"))),
              "error with field containerID = '-abcdefa0123456' (field must not begin with a '-')");
    EXPECT_EQ(refusal(workload_name(workload("foo", "foo-foo-"))),
              "error with field workload = 'foo-foo-' (field must not end with a '-')");
}

TEST(WorkloadName, HasPrefixesAsFarAsPartsAreKnown)
{
    EXPECT_EQ(workload_name_prefix(kPod).value(), "node--1-k8s-pod--name-eth0");
    WorkloadIds ids = kPod;
    ids.endpoint.clear();
    EXPECT_EQ(workload_name_prefix(ids).value(), "node--1-k8s-pod--name-");
    ids.pod.clear();
    EXPECT_EQ(workload_name_prefix(ids).value(), "node--1-k8s-");
    EXPECT_EQ(workload_name_prefix(workload("foo", "")).value(), "node--1-foo-");
    ids.orchestrator.clear();
    EXPECT_EQ(workload_name_prefix(ids).value(), "node--1-");
    ids.node.clear();
    EXPECT_EQ(refusal(workload_name_prefix(ids)),
              "error with field node = '' (field should be assigned)");
    EXPECT_TRUE(
        refusal(workload_name_prefix(container("-a"))).starts_with("error with field containerID"));
    EXPECT_TRUE(refusal(workload_name_prefix(workload("foo", "f-")))
                    .starts_with("error with field workload"));
}

TEST(WorkloadName, MatchesNamesWithUnknownPartsLeftOpen)
{
    WorkloadIds ids = kPod;
    ids.node.clear();
    EXPECT_FALSE(matches(ids, "node--1-k8s-pod--name-eth0"));
    ids = kPod;
    ids.orchestrator.clear();
    EXPECT_FALSE(matches(ids, "node--1-k8s-pod--name-eth0").value());
    EXPECT_TRUE(matches(kPod, "node--1-k8s-pod--name-eth0").value());
    EXPECT_FALSE(matches(kPod, "node--1-k8s-pod--name-eth").value());
    EXPECT_TRUE(matches(container(""), "node--1-cni-orchestratorid-eth0").value());
    EXPECT_TRUE(matches(container("abcde"), "node--1-cni-abcde-eth0").value());
    EXPECT_FALSE(matches(container("abcde"), "node--1-cni-abcdef-eth0").value());
    EXPECT_FALSE(matches(kPod, "node--1-k8s-").value());
    EXPECT_FALSE(matches(kPod, "node--1-k8s-pod-eth0-extra").value());
}

TEST(WorkloadName, IsParsedByItsDashesAlone)
{
    const auto pod = parse_workload_name("node-k8s-pod-eth0").value();
    EXPECT_EQ(pod.node, "node");
    EXPECT_EQ(pod.pod, "pod");
    EXPECT_EQ(pod.endpoint, "eth0");
    EXPECT_EQ(parse_workload_name("node-cni-xyz-eth0")->container_id, "xyz");
    EXPECT_EQ(parse_workload_name("node-libnetwork-libnetwork-eth0")->workload, "");
    const auto other = parse_workload_name("node-foo--orch-workload-eth0").value();
    EXPECT_EQ(other.orchestrator, "foo-orch");
    EXPECT_EQ(other.workload, "workload");
    EXPECT_EQ(parse_workload_name("node-")->node, "node");
    EXPECT_EQ(parse_workload_name("node-k8s-pod--name-")->pod, "pod-name");
    const auto short_one = parse_workload_name("coredns-668d6bf9bc-bxhr6").value();
    EXPECT_EQ(short_one.node, "coredns");
    EXPECT_EQ(short_one.orchestrator, "668d6bf9bc");
    EXPECT_EQ(short_one.workload, "bxhr6");
    EXPECT_FALSE(parse_workload_name("calico-kube-controllers-7946b84856-2fwwq"));
    EXPECT_FALSE(parse_workload_name(""));
}

TEST(MesosLabel, LosesWhatNoLabelMayHold)
{
    EXPECT_EQ(sanitised_mesos_label("-my-val"), "my-val");
    EXPECT_EQ(sanitised_mesos_label("$my..val"), "my.val");
    EXPECT_EQ(sanitised_mesos_label("m$y.val"), "m-y.val");
    EXPECT_EQ(sanitised_mesos_label("//my/val/"), "my.val");
    EXPECT_EQ(sanitised_mesos_label("some_val-with.lots*of^weird#characters"),
              "some_val-with.lots-of-weird-characters");
    EXPECT_EQ(sanitised_mesos_label("/a/b/c"), "a.b.c");
    EXPECT_EQ(sanitised_mesos_label("$$"), "");
}

TEST(NetworkProfile, LetsMembersInAndEverythingOut)
{
    EXPECT_EQ(network_profile("net1", false).spec,
              R"x({"egress":[{"action":"Allow"}],"ingress":[{"action":"Allow",)x"
              R"x("source":{"selector":"has(net1)"}}],"labelsToApply":{"net1":""}})x");
    EXPECT_EQ(network_profile("net1", true).spec,
              R"({"egress":[{"action":"Allow"}],"ingress":[{"action":"Allow"}],)"
              R"("labelsToApply":{"net1":""}})");
}

}  // namespace
}  // namespace tortie::calico
