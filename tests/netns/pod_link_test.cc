// SPDX-License-Identifier: Apache-2.0
#include "datapath/pod_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/pod_link_node.h"

namespace tortie {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char *kHost = "cali0123456789a";

class PodLink : public test::PodLinkNode {};

TEST_F(PodLink, OfAnIpv4PodHasTheStateThatFelixExpects)
{
    const PodLinkState state = created(request({"10.65.0.2"}));

    EXPECT_EQ(state.host_ifname, kHost);
    EXPECT_EQ(state.mtu_bytes, 1500u);
    EXPECT_THAT(pod_->ip({"-o", "link", "show", "dev", "eth0"}), HasSubstr(print_mac(state.mac)));
    const std::string host = node_->ip({"-o", "link", "show", "dev", kHost});
    EXPECT_THAT(host, HasSubstr("ee:ee:ee:ee:ee:ee"));
    EXPECT_THAT(host, HasSubstr(",UP,"));
    EXPECT_THAT(host, HasSubstr("mtu 1500"));
    // Details show every attribute that is not the default: there must be none.
    EXPECT_EQ(pod_->ip({"-d", "route", "show"}),
              "unicast default via 169.254.1.1 dev eth0 proto boot scope global \n"
              "unicast 169.254.1.1 dev eth0 proto boot scope link \n");
    EXPECT_EQ(node_->ip({"-d", "route", "show"}),
              "unicast 10.65.0.2 dev cali0123456789a proto boot scope link \n");
    EXPECT_THAT(pod_->ip({"-o", "-4", "address", "show", "dev", "eth0"}),
                HasSubstr("inet 10.65.0.2/32 scope global eth0"));
    EXPECT_EQ(check(request({"10.65.0.2"}), state.mac), "as it should be");
}

TEST_F(PodLink, OfAnIpv4PodSetsItsSysctls)
{
    pod_->run({"sysctl", "-qw", "net.ipv4.ip_forward=1"});

    created(request({"10.65.0.2"}));

    const std::string conf = std::string("ipv4/conf/") + kHost;
    EXPECT_EQ(sysctl(*node_, conf + "/route_localnet"), "1");
    EXPECT_EQ(sysctl(*node_, conf + "/proxy_arp"), "1");
    EXPECT_EQ(sysctl(*node_, conf + "/forwarding"), "1");
    EXPECT_EQ(sysctl(*node_, std::string("ipv4/neigh/") + kHost + "/proxy_delay"), "0");
    EXPECT_EQ(sysctl(*node_, std::string("ipv6/conf/") + kHost + "/accept_ra"), "0");
    EXPECT_EQ(sysctl(*node_, std::string("ipv6/conf/") + kHost + "/proxy_ndp"), "0");
    EXPECT_EQ(sysctl(*pod_, "ipv4/ip_forward"), "0");
}

TEST_F(PodLink, OfAnIpv4PodLeavesIpv6InThePodAlone)
{
    pod_->run({"sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"});
    pod_->run({"sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"});
    pod_->run({"sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"});

    created(request({"10.65.0.2"}));

    EXPECT_EQ(sysctl(*pod_, "ipv6/conf/all/disable_ipv6"), "1");
    EXPECT_EQ(sysctl(*pod_, "ipv6/conf/eth0/disable_ipv6"), "1");
    EXPECT_EQ(sysctl(*pod_, "ipv6/conf/all/forwarding"), "1");
    EXPECT_EQ(pod_->ip({"-6", "route", "show"}), "");
}

TEST_F(PodLink, OfAnIpv6PodGoesThroughTheNodesLinkLocalAddress)
{
    pod_->run({"sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"});
    pod_->run({"sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"});
    node_->run({"sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"});
    node_->run({"sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1"});

    const PodLinkState state = created(request({"dead:beef::2"}));

    EXPECT_THAT(
        pod_->ip({"-6", "route", "show"}),
        HasSubstr("default via fe80::ecee:eeff:feee:eeee dev eth0 metric 1024 pref medium"));
    EXPECT_THAT(node_->ip({"-6", "route", "show"}),
                HasSubstr("dead:beef::2 dev cali0123456789a metric 1024 pref medium"));
    EXPECT_THAT(node_->ip({"-6", "address", "show", "dev", kHost}),
                HasSubstr("inet6 fe80::ecee:eeff:feee:eeee/64 scope link"));
    const std::string addresses = pod_->ip({"-6", "address", "show", "dev", "eth0"});
    EXPECT_THAT(addresses, HasSubstr("inet6 dead:beef::2/128 scope global \n"));
    EXPECT_EQ(pod_->ip({"-4", "route", "show"}), "");
    EXPECT_EQ(node_->ip({"-4", "route", "show"}), "");
    for (const char *scope : {"all", "default", "lo", "eth0"})
        EXPECT_EQ(sysctl(*pod_, std::string("ipv6/conf/") + scope + "/disable_ipv6"), "0");
    EXPECT_EQ(sysctl(*pod_, "ipv6/conf/eth0/accept_dad"), "0");
    const std::string conf = std::string("ipv6/conf/") + kHost;
    EXPECT_EQ(sysctl(*node_, conf + "/accept_dad"), "0");
    EXPECT_EQ(sysctl(*node_, conf + "/disable_ipv6"), "0");
    EXPECT_EQ(sysctl(*node_, conf + "/proxy_ndp"), "1");
    EXPECT_EQ(sysctl(*node_, conf + "/forwarding"), "1");
    EXPECT_EQ(sysctl(*node_, std::string("ipv4/conf/") + kHost + "/proxy_arp"), "0");
    EXPECT_EQ(check(request({"dead:beef::2"}), state.mac), "as it should be");
}

TEST_F(PodLink, OfADualStackPodHasBothFamilies)
{
    const PodLinkRequest both = request({"10.65.0.2", "dead:beef::2"});

    const PodLinkState state = created(both);

    EXPECT_EQ(node_->ip({"-4", "route", "show"}), "10.65.0.2 dev cali0123456789a scope link \n");
    EXPECT_THAT(node_->ip({"-6", "route", "show"}), HasSubstr("dead:beef::2 dev cali"));
    EXPECT_THAT(pod_->ip({"-4", "route", "show"}), HasSubstr("default via 169.254.1.1 dev eth0"));
    EXPECT_THAT(pod_->ip({"-6", "route", "show"}), HasSubstr("default via fe80::"));
    EXPECT_EQ(check(both, state.mac), "as it should be");
}

TEST_F(PodLink, HasNoAddressThatIsStillTentative)
{
    created(request({"dead:beef::2"}));

    EXPECT_EQ(pod_->ip({"-6", "address", "show", "tentative", "scope", "global"}), "");
}

TEST_F(PodLink, HasTheRoutesThatAreAskedForAndNoOthers)
{
    PodLinkRequest custom = request({"10.65.0.2", "dead:beef::2"});
    custom.routes = {*Cidr::parse("10.123.0.0/16"), *Cidr::parse("10.124.7.9/16"),
                     *Cidr::parse("dead:beef::/96")};

    created(custom);

    EXPECT_EQ(pod_->ip({"route", "show"}),
              "10.123.0.0/16 via 169.254.1.1 dev eth0 \n"
              "10.124.0.0/16 via 169.254.1.1 dev eth0 \n"
              "169.254.1.1 dev eth0 scope link \n");
    const std::string ipv6 = pod_->ip({"-6", "route", "show"});
    EXPECT_THAT(ipv6,
                HasSubstr("dead:beef::/96 via fe80::ecee:eeff:feee:eeee dev eth0 metric 1024"));
    EXPECT_THAT(ipv6, Not(HasSubstr("default")));
}

TEST_F(PodLink, TakesMoreRoutesThanFitIntoOneMessage)
{
    PodLinkRequest many = request({"10.65.0.2"});
    for (int i = 0; i < 200; ++i)
        many.routes.push_back(*Cidr::parse("10." + std::to_string(i) + ".0.0/16"));

    created(many);

    EXPECT_THAT(pod_->ip({"route", "show"}), HasSubstr("10.199.0.0/16 via 169.254.1.1"));
}

TEST_F(PodLink, HasMtuQueuesAndMacAsAsked)
{
    PodLinkRequest special = request({"10.65.0.2"});
    special.mtu_bytes = 3000;
    special.queues = 3;
    special.mac = parse_pod_mac("ca:fe:ca:fe:ca:fe").value();

    const PodLinkState state = created(special);

    EXPECT_EQ(state.mtu_bytes, 3000u);
    EXPECT_EQ(print_mac(state.mac), "ca:fe:ca:fe:ca:fe");
    for (const std::string &end : {pod_->ip({"-d", "-o", "link", "show", "dev", "eth0"}),
                                   node_->ip({"-d", "-o", "link", "show", "dev", kHost})}) {
        EXPECT_THAT(end, HasSubstr("mtu 3000"));
        EXPECT_THAT(end, HasSubstr("numtxqueues 3 "));
        EXPECT_THAT(end, HasSubstr("numrxqueues 3 "));
    }
    EXPECT_THAT(pod_->ip({"link", "show", "dev", "eth0"}), HasSubstr("ca:fe:ca:fe:ca:fe"));
}

TEST_F(PodLink, ForwardsInThePodWhenAllowedTo)
{
    PodLinkRequest router = request({"10.65.0.2", "dead:beef::2"});
    router.allow_ip_forwarding = true;

    created(router);

    EXPECT_EQ(sysctl(*pod_, "ipv4/ip_forward"), "1");
    EXPECT_EQ(sysctl(*pod_, "ipv6/conf/all/forwarding"), "1");
}

TEST_F(PodLink, LeavesHostRoutesToFelixWhenTold)
{
    PodLinkRequest target = request({"10.65.0.2"});
    target.skip_host_side_routes = true;

    const PodLinkState state = created(target);

    EXPECT_EQ(node_->ip({"route", "show"}), "");
    EXPECT_EQ(check(target, state.mac), "as it should be");
}

TEST_F(PodLink, ReplacesAnInterfaceOfTheNodesWithItsName)
{
    const test::Netns other;
    test::veth_pair(*node_, kHost, other, "elsewhere");
    node_->ip({"link", "set", kHost, "up"});

    created(request({"10.65.0.2"}));

    EXPECT_FALSE(has_link(other, "elsewhere"));
    EXPECT_TRUE(has_link(*pod_, "eth0"));
}

TEST_F(PodLink, IsMadeAnewForTheSamePodWithAnotherAddress)
{
    const PodLinkState first = created(request({"10.65.0.2"}));

    const PodLinkState second = created(request({"10.65.0.3"}));

    EXPECT_NE(first.mac, second.mac);
    EXPECT_EQ(node_->ip({"route", "show"}), "10.65.0.3 dev cali0123456789a scope link \n");
    EXPECT_THAT(pod_->ip({"-4", "address", "show"}), Not(HasSubstr("10.65.0.2")));
}

TEST_F(PodLink, IsRefusedWhereThePodHasAnInterfaceOfThatNameAlready)
{
    created(request({"10.65.0.2"}));
    node_->ip({"link", "set", kHost, "down"});
    node_->ip({"link", "set", kHost, "name", "sali0123456789a"});
    node_->ip({"link", "set", "sali0123456789a", "up"});
    wait_for_link_local(*node_, "sali0123456789a");
    const std::string node = picture(*node_);
    const std::string pod = picture(*pod_);

    const auto again = create(request({"10.65.0.3"}));

    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().what(), "file exists");
    EXPECT_EQ(again.error().kind(), ErrorKind::kExists);
    EXPECT_EQ(picture(*node_), node);
    EXPECT_EQ(picture(*pod_), pod);
}

TEST_F(PodLink, IsRefusedBesideAnotherThatHasTheGateway)
{
    created(request({"10.65.0.2"}));
    PodLinkRequest second = request({"10.65.0.3"});
    second.ifname = "eth1";
    second.host_ifname = "cali00000000002";
    second.routes = {*Cidr::parse("10.9.0.0/16")};

    EXPECT_EQ(failure(second), "failed to add route inside the container: file exists");

    EXPECT_FALSE(has_link(*pod_, "eth1"));
    EXPECT_FALSE(has_link(*node_, "cali00000000002"));
    EXPECT_TRUE(has_link(*pod_, "eth0"));
}

TEST_F(PodLink, MovesToAnotherNameInThePodWithTheSameNameOnTheNode)
{
    created(request({"10.65.0.2"}));
    PodLinkRequest second = request({"10.65.0.2"});
    second.ifname = "eth1";

    created(second);

    EXPECT_TRUE(has_link(*pod_, "eth1"));
    EXPECT_FALSE(has_link(*pod_, "eth0"));
}

TEST_F(PodLink, FallsBackToVethWhereTheKernelHasNoNetkit)
{
    if (node_->try_run({"ip", "link", "add", "nk0", "type", "netkit"}))
        GTEST_SKIP() << "needs a kernel without netkit";
    PodLinkRequest netkit = request({"10.65.0.2"});
    netkit.device = PodDevice::kNetkit;

    created(netkit);

    EXPECT_THAT(pod_->ip({"-d", "link", "show", "dev", "eth0"}), HasSubstr("veth"));
}

TEST_F(PodLink, IsANetkitWhereTheKernelHasIt)
{
    if (!node_->try_run({"ip", "link", "add", "nk0", "type", "netkit"}))
        GTEST_SKIP() << "needs a kernel with netkit (CONFIG_NETKIT, Linux 6.7)";
    PodLinkRequest netkit = request({"10.65.0.2", "dead:beef::2"});
    netkit.device = PodDevice::kNetkit;
    netkit.mtu_bytes = 1400;

    const PodLinkState state = created(netkit);

    EXPECT_THAT(pod_->ip({"-d", "link", "show", "dev", "eth0"}), HasSubstr("netkit"));
    EXPECT_EQ(check(netkit, state.mac), "as it should be");
}

}  // namespace
}  // namespace tortie
