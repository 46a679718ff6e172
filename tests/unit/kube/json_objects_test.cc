// SPDX-License-Identifier: Apache-2.0
#include "kube/json_objects.h"

#include <gtest/gtest.h>

namespace tortie::kube {
namespace {

TEST(ParsePod, ReadsWhatCalicoNeeds)
{
    const auto pod = parse_pod(R"({"kind":"Pod","metadata":{"name":"cart-1","namespace":"shop",
        "generateName":"cart-","uid":"u","resourceVersion":"7","labels":{"app":"cart"},
        "annotations":{"a":"b"},"creationTimestamp":"2026-01-01T00:00:00Z",
        "deletionTimestamp":"2026-01-02T00:00:00Z",
        "ownerReferences":[{"apiVersion":"v1","kind":"Job","name":"j","uid":"o","controller":true}]},
        "spec":{"nodeName":"n","hostNetwork":true,"serviceAccountName":"sa",
          "containers":[{"ports":[{"name":"web","containerPort":80,"hostPort":8080,
                                   "hostIP":"10.0.0.1","protocol":"TCP"}]},{}],
          "initContainers":[{"ports":[{"containerPort":81}]}]},
        "status":{"phase":"Running","podIP":"10.0.0.2",
                  "podIPs":[{"ip":"10.0.0.2"},{"ip":"fd00::2"}]}})");

    ASSERT_TRUE(pod) << pod.error().what();
    EXPECT_EQ(pod->meta.name, "cart-1");
    EXPECT_EQ(pod->meta.ns, "shop");
    EXPECT_EQ(pod->meta.generate_name, "cart-");
    EXPECT_EQ(pod->meta.resource_version, "7");
    EXPECT_EQ(pod->meta.labels, (StringMap{{"app", "cart"}}));
    EXPECT_EQ(pod->meta.deletion_timestamp, "2026-01-02T00:00:00Z");
    ASSERT_EQ(pod->owners.size(), 1U);
    EXPECT_TRUE(pod->owners[0].controller);
    EXPECT_TRUE(pod->host_network);
    EXPECT_EQ(pod->pod_ips, (std::vector<std::string>{"10.0.0.2", "fd00::2"}));
    ASSERT_EQ(pod->ports.size(), 2U);
    EXPECT_EQ(pod->ports[0].host_port, 8080);
    EXPECT_EQ(pod->ports[1].container_port, 81);
}

TEST(ParsePod, TakesOddMembersForAbsentOnes)
{
    const auto pod = parse_pod(R"({"metadata":{"name":"a","labels":[1],"annotations":{"x":1},
        "ownerReferences":"?"},"spec":{"containers":{"a":1},"hostNetwork":"yes"},"status":null})");

    ASSERT_TRUE(pod);
    EXPECT_TRUE(pod->meta.annotations.empty());
    EXPECT_FALSE(pod->host_network);
}

TEST(ParsePod, RefusesWhatIsNoObject)
{
    for (const char *text : {"", "null", "[]", "{", "{}", R"({"metadata":{"name":""}})", "\xff"})
        EXPECT_FALSE(parse_pod(text)) << text;
    EXPECT_FALSE(parse_pod(std::string(100'000, '[')));
}

TEST(ParseNode, TakesTheSingleCidrOfOldNodes)
{
    EXPECT_EQ(
        parse_node(R"({"metadata":{"name":"n"},"spec":{"podCIDR":"10.0.0.0/24"}})")->pod_cidrs,
        (std::vector<std::string>{"10.0.0.0/24"}));
    EXPECT_EQ(parse_node(R"({"metadata":{"name":"n"},"spec":{"podCIDR":"10.0.0.0/24",
                             "podCIDRs":["10.0.0.0/24","fd00::/64"]}})")
                  ->pod_cidrs,
              (std::vector<std::string>{"10.0.0.0/24", "fd00::/64"}));
}

TEST(ParsePods, ReadsAPageAndWhereItGoesOn)
{
    const auto page = parse_pods(R"({"metadata":{"continue":"t"},"items":[
        {"metadata":{"name":"a"}},3,{"metadata":{"name":"b"}}]})");

    ASSERT_TRUE(page);
    EXPECT_EQ(page->items.size(), 2U);
    EXPECT_EQ(page->next, "t");
    EXPECT_TRUE(parse_pods(R"({"items":null})")->items.empty());
    EXPECT_FALSE(parse_pods(R"({"items":1})"));
}

TEST(ParseGroups, NamesThem)
{
    EXPECT_EQ(*parse_groups(R"({"groups":[{"name":"apps"},{"name":"crd.projectcalico.org"}]})"),
              (std::vector<std::string>{"apps", "crd.projectcalico.org"}));
    EXPECT_FALSE(parse_groups("{}"));
}

TEST(AnnotationsPatch, IsExactlyWhatCalicoSends)
{
    EXPECT_EQ(annotations_patch({{"cni.projectcalico.org/containerID", "c1"},
                                 {"cni.projectcalico.org/podIP", "10.0.0.1/32"},
                                 {"cni.projectcalico.org/podIPs", "10.0.0.1/32"}},
                                {}),
              R"({"metadata":{"annotations":{"cni.projectcalico.org/containerID":"c1",)"
              R"("cni.projectcalico.org/podIP":"10.0.0.1/32",)"
              R"("cni.projectcalico.org/podIPs":"10.0.0.1/32"}}})");
    EXPECT_EQ(annotations_patch({}, {}), R"({"metadata":{}})");
    EXPECT_EQ(annotations_patch({{"a", ""}}, {.uid = "u", .resource_version = "7"}),
              R"({"metadata":{"annotations":{"a":""},"resourceVersion":"7","uid":"u"}})");
}

TEST(DeleteOptions, CarryPreconditions)
{
    EXPECT_EQ(delete_options({.uid = "u", .resource_version = "7"}),
              R"({"apiVersion":"v1","kind":"DeleteOptions",)"
              R"("preconditions":{"resourceVersion":"7","uid":"u"}})");
}

}  // namespace
}  // namespace tortie::kube
