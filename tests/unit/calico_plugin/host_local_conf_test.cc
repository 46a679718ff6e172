// SPDX-License-Identifier: Apache-2.0
// Texts: spec calico-cni.md 3.4. Configurations A to E: 7.4 #6-14.
#include "calico/host_local_conf.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::calico_cni {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kBoth = {"10.10.0.0/24", "dead:beef::/96"};

cni::Json conf(const std::string &ipam)
{
    return cni::Json::parse_object(R"({"name": "net1", "ipam": )" + ipam + "}").value();
}

std::string with_cidrs(const std::string &ipam, const std::vector<std::string> &cidrs)
{
    const auto config = with_pod_cidrs(conf(ipam), "node-a", cidrs);
    return config ? config->at("ipam").go_text() : config.error().what();
}

TEST(HostLocalConf, GetsTheNodesCidrInline)
{
    EXPECT_EQ(with_cidrs(R"({"type": "host-local", "subnet": "usePodCidr"})", {"10.0.0.0/24"}),
              R"({"subnet":"10.0.0.0/24","type":"host-local"})");
    EXPECT_EQ(with_cidrs(R"({"subnet": "USEPODCIDRIPV6"})", kBoth),
              R"({"subnet":"dead:beef::/96"})");
}

TEST(HostLocalConf, GetsTheNodesCidrsInRanges)
{
    EXPECT_EQ(with_cidrs(R"({"ranges": [[{"subnet": "usePodCidr", "gateway": "10.10.0.1"}],
                                        [{"subnet": "usePodCidrIPv6"}],
                                        [{"subnet": "10.100.0.0/24"}]]})",
                         kBoth),
              R"({"ranges":[[{"gateway":"10.10.0.1","subnet":"10.10.0.0/24"}],)"
              R"([{"subnet":"dead:beef::/96"}],[{"subnet":"10.100.0.0/24"}]]})");
}

TEST(HostLocalConf, StaysAsItIsWithoutTheWords)
{
    const cni::Json plain = conf(R"({"subnet": "10.0.0.0/8"})");

    EXPECT_FALSE(uses_pod_cidrs(plain).value());
    EXPECT_EQ(with_pod_cidrs(plain, "node-a", {})->go_text(), plain.go_text());
}

TEST(HostLocalConf, TellsWhatTheNodeLacks)
{
    constexpr const char *kWord = R"({"subnet": "usePodCidr"})";
    constexpr const char *kWord6 = R"({"subnet": "usePodCidrIPv6"})";
    EXPECT_EQ(with_cidrs(kWord, {}), "no podCidr for node node-a");
    EXPECT_EQ(with_cidrs(kWord, {"10.0.0.0/24", "10.1.0.0/24"}),
              "ClusterCIDR contains two ranges of the same type");
    EXPECT_EQ(with_cidrs(kWord, {"dead:beef::/96"}),
              "usePodCidr found but there is no IPv4 CIDR configured");
    EXPECT_EQ(with_cidrs(kWord6, {"10.0.0.0/24"}),
              "usePodCidrIPv6 found but there is no IPv6 CIDR configured");
}

TEST(HostLocalConf, TellsWhichSectionIsOfAWrongType)
{
    EXPECT_EQ(with_cidrs("7", {}),
              "failed to parse host-local IPAM data; was expecting a dict, "
              "not: 7");
    EXPECT_EQ(with_cidrs(R"({"ranges": {}})", {}),
              "failed to parse host-local IPAM ranges section; was expecting a list, not: {}");
    EXPECT_EQ(with_cidrs(R"({"ranges": [{}]})", {}),
              "failed to parse host-local IPAM range set; was expecting a list, not: {}");
}

TEST(HostLocalConf, GetsAnyCidrForARelease)
{
    EXPECT_EQ(with_any_cidrs(conf(R"({"ranges": [[{"subnet": "usePodCidr"}],
                                                 [{"subnet": "usePodCidrIPv6"}]]})"))
                  ->at("ipam")
                  .go_text(),
              R"({"ranges":[[{"subnet":"0.0.0.0/0"}],[{"subnet":"::/0"}]]})");
}

TEST(HostLocalConf, HasRoutesForThePod)
{
    EXPECT_THAT(host_local_routes(conf("{}")).value(), IsEmpty());
    EXPECT_THAT(host_local_routes(conf(R"({"routes": [{"dst": "10.123.4.5/16", "gw": "10.123.0.1"},
                                                      {"gw": "1.1.1.1"}, {"dst": "fd00::/96"}]})"))
                    .value(),
                ElementsAre(*Cidr::parse("10.123.0.0/16"), *Cidr::parse("fd00::/96")));
    EXPECT_EQ(host_local_routes(conf(R"({"routes": {}})")).error().what(),
              "failed to parse host-local IPAM routes section; expecting list, not: {}");
    EXPECT_EQ(host_local_routes(conf(R"({"routes": [{"dst": 7}]})")).error().what(),
              "invalid IPAM routes section; expecting 'dst' to be a string, not: 7");
}

}  // namespace
}  // namespace tortie::calico_cni
