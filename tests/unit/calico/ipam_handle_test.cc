// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_handle.h"

#include <gtest/gtest.h>

namespace tortie::calico {
namespace {

std::chrono::system_clock::time_point at(std::int64_t seconds, std::int64_t nanoseconds)
{
    return std::chrono::system_clock::time_point(
        std::chrono::nanoseconds(seconds * 1'000'000'000 + nanoseconds));
}

TEST(GoTime, DropsTheZerosOfTheFraction)
{
    // 2026-08-22 10:15:01 UTC
    EXPECT_EQ(go_time(at(1787393701, 204'518'000)), "2026-08-22 10:15:01.204518 +0000 UTC");
    EXPECT_EQ(go_time(at(1787393701, 0)), "2026-08-22 10:15:01 +0000 UTC");
    EXPECT_EQ(go_time(at(1787393701, 1)), "2026-08-22 10:15:01.000000001 +0000 UTC");
}

TEST(GoTime, SortsByTime)
{
    EXPECT_LT(go_time(at(5, 0)), go_time(at(5, 1)));
    EXPECT_LT(go_time(at(5, 200'000'000)), go_time(at(5, 204'000'000)));
    EXPECT_LT(go_time(at(5, 999'999'999)), go_time(at(6, 0)));
}

TEST(HandleId, IsWhatTheOriginalsWrite)
{
    EXPECT_EQ(handle_id("k8s-pod-network", "c1f0aa"), "k8s-pod-network.c1f0aa");
    EXPECT_EQ(legacy_handle_id("shop", "cart-7d9", "c1f0aa"), "shop.cart-7d9");
    EXPECT_EQ(legacy_handle_id("default", "", "c1f0aa"), "c1f0aa");
    EXPECT_EQ(vm_handle_id("net1", "shop", "vm-a"), "net1.vmi.shop.vm-a");
}

TEST(VmHandleId, IsNeverLongerThan128CharactersAndTellsMachinesApart)
{
    const std::string ns(63, 'n');
    const std::string network(200, 'w');
    EXPECT_EQ(vm_handle_id("net1", ns, std::string(55, 'v')).size(), 128U);
    for (const std::string &net : {std::string("n"), network}) {
        const std::string a = vm_handle_id(net, ns, std::string(253, 'v'));
        const std::string b = vm_handle_id(net, ns, std::string(252, 'v') + "w");
        EXPECT_LE(a.size(), 128U);
        EXPECT_NE(a, b);
        EXPECT_EQ(a.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-"), std::string::npos);
    }
}

TEST(OwnerAttributes, NameThePodOnlyWhereThereIsOne)
{
    const auto of_pod = owner_attributes("node-a", "shop", "cart-7d9", at(1787393701, 0));
    EXPECT_EQ(of_pod, (kube::StringMap{{"node", "node-a"},
                                       {"namespace", "shop"},
                                       {"pod", "cart-7d9"},
                                       {"timestamp", "2026-08-22 10:15:01 +0000 UTC"}}));
    EXPECT_FALSE(owner_attributes("node-a", "default", "", at(0, 0)).contains("namespace"));
}

}  // namespace
}  // namespace tortie::calico
