// SPDX-License-Identifier: Apache-2.0
#include "sys/link.h"

#include <linux/rtnetlink.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/netns.h"

namespace tortie {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LinkInNetns : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        pod_.emplace();
        test::veth_pair(*pod_, "eth0", *pod_, "peer0");
        socket_.emplace(pod_->inside([] { return NetlinkSocket::open(NETLINK_ROUTE); }).value());
    }

    Link eth0() { return find_link(*socket_, "eth0").value(); }

    std::optional<test::Netns> pod_;
    std::optional<NetlinkSocket> socket_;  // of the pod, used from outside of it
};

TEST_F(LinkInNetns, IsFoundWithItsAttributes)
{
    pod_->ip(
        {"link", "set", "eth0", "address", "02:00:00:00:00:2a", "mtu", "1400", "txqueuelen", "77"});

    const Link link = eth0();

    EXPECT_EQ(link.name, "eth0");
    EXPECT_GT(link.index, 1);
    EXPECT_THAT(link.mac, ElementsAre(2, 0, 0, 0, 0, 0x2a));
    EXPECT_EQ(link.mtu, 1400u);
    EXPECT_EQ(link.tx_queue_len, 77u);
    EXPECT_FALSE(link.up());
    EXPECT_FALSE(link.promisc());
    EXPECT_EQ(link.promiscuity, 0u);
}

TEST_F(LinkInNetns, IsNotFoundUnderAnotherName)
{
    const auto missing = find_link(*socket_, "eth1");

    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), ErrorKind::kNotFound);
    EXPECT_THAT(missing.error().what(), HasSubstr("find interface eth1"));
}

TEST_F(LinkInNetns, TakesEveryChange)
{
    const Link link = eth0();
    const std::vector<std::uint8_t> mac = {2, 1, 2, 3, 4, 5};

    ASSERT_TRUE(set_up(*socket_, link, true));
    ASSERT_TRUE(set_promisc(*socket_, link, true));
    ASSERT_TRUE(set_allmulti(*socket_, link, true));
    ASSERT_TRUE(set_mtu(*socket_, link, 1300));
    ASSERT_TRUE(set_tx_queue_len(*socket_, link, 5));
    ASSERT_TRUE(set_mac(*socket_, link, mac));

    const Link changed = eth0();
    EXPECT_TRUE(changed.up() && changed.promisc() && changed.allmulti());
    EXPECT_EQ(changed.promiscuity, 1u);
    EXPECT_EQ(changed.mtu, 1300u);
    EXPECT_EQ(changed.tx_queue_len, 5u);
    EXPECT_EQ(changed.mac, mac);

    ASSERT_TRUE(set_up(*socket_, link, false));
    ASSERT_TRUE(set_promisc(*socket_, link, false));
    ASSERT_TRUE(set_allmulti(*socket_, link, false));
    const Link back = eth0();
    EXPECT_FALSE(back.up() || back.promisc() || back.allmulti());
}

TEST_F(LinkInNetns, HandsOnTheKernelsRefusal)
{
    const Link link = eth0();

    const auto mtu = set_mtu(*socket_, link, 1);
    const auto mac = set_mac(*socket_, link, std::vector<std::uint8_t>{1, 2, 3});

    ASSERT_FALSE(mtu);
    EXPECT_EQ(mtu.error().sys_errno(), EINVAL);
    EXPECT_THAT(mtu.error().what(), HasSubstr("set mtu of eth0 to 1"));
    ASSERT_FALSE(mac);
    EXPECT_EQ(mac.error().sys_errno(), EINVAL);
}

TEST_F(LinkInNetns, ListsItsOwnAddressesIpv4First)
{
    pod_->ip({"address", "add", "10.1.2.3/24", "dev", "eth0"});
    pod_->ip({"address", "add", "10.1.2.9", "peer", "10.9.9.9/32", "dev", "eth0"});
    pod_->ip({"address", "add", "10.7.7.7/8", "dev", "peer0"});
    pod_->ip({"address", "add", "2001:db8::5/64", "dev", "eth0", "nodad"});

    const auto addresses = list_addresses(*socket_, eth0());

    ASSERT_TRUE(addresses) << addresses.error().what();
    EXPECT_THAT(*addresses, ElementsAre(*Cidr::parse("10.1.2.3/24"), *Cidr::parse("10.1.2.9/32"),
                                        *Cidr::parse("2001:db8::5/64")));
}

}  // namespace
}  // namespace tortie
