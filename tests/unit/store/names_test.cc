// SPDX-License-Identifier: Apache-2.0
#include "store/names.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace tortie::store {
namespace {

TEST(CidrName, IsTheCanonicalTextWithHyphens)
{
    EXPECT_EQ(cidr_name(cidr("10.0.0.0/26")), "10-0-0-0-26");
    EXPECT_EQ(cidr_name(cidr("FD80:24e2:f998:72d6:0::/122")), "fd80-24e2-f998-72d6---122");
    EXPECT_EQ(cidr_name(cidr("fe80:ba:ad:beef::40/122")), "fe80-ba-ad-beef--40-122");
}

TEST(CidrName, LeadsBackToTheNetwork)
{
    for (const char *text : {"10.0.0.0/26", "0.0.0.0/0", "fd80:24e2:f998:72d6::/122",
                             "fe80:ba:ad:beef::40/122", "::/0", "1:2:3:4:5:6:7:8/128"}) {
        EXPECT_EQ(cidr_from_name(cidr_name(cidr(text))), cidr(text)) << text;
    }
}

TEST(CidrName, RefusesWhatItDoesNotGive)
{
    for (const char *text : {"", "-", "10-0-0-0", "10-0-0-0-33", "10-0-0-026", "010-0-0-0-26",
                             "FD80---122", "node-a-10-0-0-0-26"}) {
        EXPECT_FALSE(cidr_from_name(text)) << text;
    }
}

TEST(AffinityName, JoinsHostAndBlock)
{
    EXPECT_EQ(affinity_name("node-a", cidr("10.80.3.8/29")), "node-a-10-80-3-8-29");
}

// Spec 8.4.
TEST(AffinityName, CutsALongHostAndEndsInItsHash)
{
    std::string host;
    for (int i = 0; i < 21; ++i)
        host += "long--hostna";

    const std::string name = affinity_name(host, cidr("10.0.0.0/26"));

    EXPECT_EQ(name.size(), 252U);
    const std::string end = "stnalong--hostna-10-0-0-0-26-fb0ffb1c45a";
    EXPECT_EQ(name.substr(name.size() - end.size()), end);
}

TEST(AffinityName, IsWholeUpTo252Characters)
{
    const std::string host(252 - std::string("-10-0-0-0-26").size(), 'h');
    EXPECT_EQ(affinity_name(host, cidr("10.0.0.0/26")), host + "-10-0-0-0-26");
    EXPECT_EQ(affinity_name(host + 'h', cidr("10.0.0.0/26")).size(), 252U);
}

// Spec 8.4.
TEST(AffinityLabels, HashTheHostAsCalicoDoes)
{
    EXPECT_EQ(hostname_hash("node-a"), "PY3TQE2E3XMTETLM2MJO3UITKPFB27YUJ4T4E5XGPEJON3SM4QAA");
    EXPECT_EQ(hostname_hash("node1"), "7DS2CCNJGGLTHBDQLLFO6SX24SY2YDDEG3W2VN556FA2W4DLLV5A");
    EXPECT_EQ(hostname_hash("host-a"), "BFCLEOKXKXJN3LUK3AL2TWDBTX3OWLM5ZSRM6I3Y5HSZA6Z2BHOA");
    EXPECT_EQ(hostname_hash("worker-7.example.com"),
              "CC73HH5UL2TJXHSZNQCBBSQTP7G7C26ATNS7TER6AEY4GEG2DO4A");
}

TEST(AffinityLabels, TellTypeAndFamily)
{
    Affinity affinity;
    affinity.type = AffinityType::kVirtual;
    affinity.cidr = cidr("fd00::/122");

    const StringMap labels = affinity_labels(affinity);

    EXPECT_EQ(labels.at("projectcalico.org/affinity-type"), "virtual");
    EXPECT_EQ(labels.at("projectcalico.org/ip-version"), "6");
}

TEST(HandleId, EndsAtACarriageReturn)
{
    EXPECT_EQ(handle_id_of("net.c1\r\neth0"), "net.c1");
    EXPECT_EQ(handle_id_of("net.c1"), "net.c1");
}

std::vector<Key> stored_keys()
{
    return {BlockKey{cidr("10.80.3.8/29")},
            BlockKey{cidr("fd80:24e2:f998:72d6::/122")},
            AffinityKey{"node-a", cidr("10.80.3.8/29"), AffinityType::kHost},
            AffinityKey{"lb", cidr("fd00::/122"), AffinityType::kVirtual},
            HandleKey{"k8s-pod-network.C1"},
            IpamConfigKey{},
            PoolKey{"lab-v4"},
            ReservationKey{"gw"},
            NodeKey{"node-a"},
            ClusterInformationKey{},
            EndpointKey{"shop", "node--a-k8s-cart-eth0"},
            ProfileKey{"net1"}};
}

TEST(EtcdKey, LeadsBackToTheDocument)
{
    for (const Key &key : stored_keys()) {
        const std::string text = etcd_key(key).value();
        const std::optional<Key> back = key_from_etcd(text);
        ASSERT_TRUE(back) << text;
        EXPECT_EQ(etcd_key(*back).value(), text);
    }
}

TEST(EtcdKey, IsCalicos)
{
    EXPECT_EQ(etcd_key(BlockKey{cidr("10.80.3.8/29")}).value(),
              "/calico/ipam/v2/assignment/ipv4/block/10.80.3.8-29");
    EXPECT_EQ(etcd_key(BlockKey{cidr("fd80:24e2:f998:72d6::/122")}).value(),
              "/calico/ipam/v2/assignment/ipv6/block/fd80:24e2:f998:72d6::-122");
    EXPECT_EQ(etcd_key(AffinityKey{"lb", cidr("10.0.0.0/26"), AffinityType::kVirtual}).value(),
              "/calico/ipam/v2/virtual/lb/ipv4/block/10.0.0.0-26");
}

TEST(EtcdKey, RefusesANameThatWouldBeAnotherKey)
{
    EXPECT_FALSE(etcd_key(HandleKey{"a/b"}));
    EXPECT_FALSE(etcd_key(PoolKey{""}));
    EXPECT_FALSE(etcd_key(EndpointKey{"ns/x", "name"}));
    EXPECT_FALSE(etcd_key(NodeKey{std::string("a\0b", 3)}));
    EXPECT_FALSE(etcd_prefix(ListAffinities{"a/b", AffinityType::kHost}));
}

TEST(EtcdKey, OfSomethingElseIsPassedOver)
{
    for (const char *text :
         {"", "/calico/ipam/v2/host/node-a", "/calico/ipam/v2/assignment/ipv4/block/10.80.3.9-29",
          "/calico/ipam/v2/assignment/ipv6/block/10.80.3.8-29", "/calico/ipam/v2/handle/a/b",
          "/calico/resources/v3/projectcalico.org/ippools/a/b",
          "/calico/resources/v3/projectcalico.org/felixconfigurations/default"}) {
        EXPECT_FALSE(key_from_etcd(text)) << text;
    }
}

TEST(KubeName, OfAHandleIsInLowerCase)
{
    EXPECT_EQ(kube_name(HandleKey{"k8s-pod-network.C1F0AA"}), "k8s-pod-network.c1f0aa");
}

}  // namespace
}  // namespace tortie::store
