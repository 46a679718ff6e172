// SPDX-License-Identifier: Apache-2.0
#include "datapath/host_ifname.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

TEST(HostIfname, OfAPodIsTheOneThatFelixComputes)
{
    EXPECT_EQ(host_ifname_of_pod("cali", "test", "test-pod-1"), "cali618a041cd51");
    EXPECT_EQ(host_ifname_of_pod("cali", "default", "nginx"), "calic440f455693");
    EXPECT_EQ(host_ifname_of_pod("cali", "testNamespace", "simplePod"), "caliedff4356bd6");
    EXPECT_EQ(host_ifname_of_pod("cali", "default", "podA"), "cali7f94ce7c295");
    EXPECT_EQ(host_ifname_of_pod(host_ifname_prefix("eni,veth,foo"), "namespace", "podname"),
              "eni82111e10a96");
}

TEST(HostIfname, TakesItsPrefixFromFelixsListOrCali)
{
    EXPECT_EQ(host_ifname_prefix(""), "cali");
    EXPECT_EQ(host_ifname_prefix("eni"), "eni");
    EXPECT_EQ(host_ifname_prefix("eni,cali"), "eni");
}

TEST(HostIfname, OfAnotherOrchestratorIsTheContainersId)
{
    EXPECT_EQ(host_ifname_of_container("0123456789abcdef"), "cali0123456789a");
    EXPECT_EQ(host_ifname_of_container("abc123"), "caliabc123");
}

}  // namespace
}  // namespace tortie
