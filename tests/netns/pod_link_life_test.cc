// SPDX-License-Identifier: Apache-2.0
//
// Traffic over a pod's link, its removal and its check, and everything that can go wrong.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/deadline.h"
#include "base/pause.h"
#include "harness/temp_dir.h"
#include "harness/traffic.h"
#include "netns/pod_link_node.h"
#include "sys/sysctl.h"

namespace tortie {
namespace {

using test::AddressEcho;
using test::ask;
using test::Netns;
using test::Transport;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char *kHost = "cali0123456789a";
constexpr std::uint16_t kPort = 8080;

class PodLinkTraffic : public test::PodLinkNode {
protected:
    void SetUp() override
    {
        PodLinkNode::SetUp();
        if (!node_)
            return;
        // Proxy ARP answers for 169.254.1.1 only where the node would route it somewhere else.
        uplink_.emplace();
        test::veth_pair(*node_, "uplink0", *uplink_, "eth0");
        node_->ip({"link", "set", "uplink0", "up"});
        uplink_->ip({"link", "set", "eth0", "up"});
        node_->ip({"address", "add", "192.0.2.1/24", "dev", "uplink0"});
        node_->ip({"route", "add", "default", "via", "192.0.2.254"});
        node_->ip({"address", "add", "2001:db8::1/128", "dev", "lo"});
        node_->run({"sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"});
        second_.emplace();
        created(request({"10.65.0.2", "dead:beef::2"}));
        created(request_for(*second_, "cali00000000002", {"10.65.0.3", "dead:beef::3"}));
    }

    std::optional<Netns> uplink_;
    std::optional<Netns> second_;
};

TEST_F(PodLinkTraffic, FlowsBetweenTwoPods)
{
    const AddressEcho server(*second_, Transport::kTcp, kPort, "second");

    EXPECT_EQ(ask(*pod_, Transport::kTcp, "10.65.0.3", kPort), "second 10.65.0.2");
    EXPECT_EQ(ask(*pod_, Transport::kTcp, "dead:beef::3", kPort), "second dead:beef::2");
}

TEST_F(PodLinkTraffic, FlowsBetweenNodeAndPodInBothDirections)
{
    const AddressEcho in_pod(*pod_, Transport::kUdp, kPort, "pod");
    const AddressEcho on_node(*node_, Transport::kUdp, kPort, "node");

    EXPECT_THAT(ask(*node_, Transport::kUdp, "10.65.0.2", kPort), StartsWith("pod "));
    EXPECT_THAT(ask(*node_, Transport::kUdp, "dead:beef::2", kPort), StartsWith("pod "));
    EXPECT_EQ(ask(*pod_, Transport::kUdp, "192.0.2.1", kPort), "node 10.65.0.2");
    EXPECT_EQ(ask(*pod_, Transport::kUdp, "2001:db8::1", kPort), "node dead:beef::2");
}

TEST_F(PodLinkTraffic, EndsWithTheLinkAndComesBackWithANewOne)
{
    const AddressEcho server(*pod_, Transport::kTcp, kPort, "pod");

    ASSERT_TRUE(remove(request({})));
    EXPECT_TRUE(test::nobody_answers(*second_, Transport::kTcp, "10.65.0.2", kPort));
    created(request({"10.65.0.2", "dead:beef::2"}));

    EXPECT_EQ(ask(*second_, Transport::kTcp, "10.65.0.2", kPort), "pod 10.65.0.3");
}

class PodLinkRemoval : public test::PodLinkNode {};

TEST_F(PodLinkRemoval, TakesBothEndsAndTheRoutes)
{
    const std::string node = picture(*node_);
    const std::string pod = picture(*pod_);
    created(request({"10.65.0.2", "dead:beef::2"}));

    EXPECT_TRUE(remove(request({})));

    EXPECT_EQ(picture(*node_), node);
    EXPECT_EQ(picture(*pod_), pod);
}

TEST_F(PodLinkRemoval, SucceedsTwiceAndWithoutALink)
{
    EXPECT_TRUE(remove(request({})));
    created(request({"10.65.0.2"}));
    EXPECT_TRUE(remove(request({})));
    EXPECT_TRUE(remove(request({})));
}

TEST_F(PodLinkRemoval, SucceedsWhereThereIsNoNamespace)
{
    const test::TempDir dir;
    PodLinkRequest gone = request({});
    for (const std::string &path :
         {std::string(), std::string("/not/a/real/path1234567890"), dir / "no",
          std::string("/dev/null/netns"), std::string("/etc/passwd"), dir.path()}) {
        gone.netns = path;
        const auto removed = remove(gone);
        EXPECT_TRUE(removed) << path << ": " << removed.error().what();
    }
}

TEST_F(PodLinkRemoval, ReportsWhatTheKernelRefuses)
{
    PodLinkRequest loopback = request({});
    loopback.ifname = "lo";

    const auto removed = remove(loopback);

    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().what(),
              "failed to clean up workload's veth inside netns: operation not supported");
}

class PodLinkFailure : public test::PodLinkNode {
protected:
    // The text, after which the node and the pod must be as they were.
    std::string failure_without_trace(const PodLinkRequest &request) const
    {
        const std::string node = picture(*node_);
        const std::string pod = picture(*pod_);
        std::string text = failure(request);
        EXPECT_EQ(picture(*node_), node);
        EXPECT_EQ(picture(*pod_), pod);
        return text;
    }
};

TEST_F(PodLinkFailure, NamesAPathThatIsNoNamespace)
{
    PodLinkRequest gone = request({"10.65.0.2"});
    gone.netns = "/no/such";
    EXPECT_EQ(failure_without_trace(gone),
              "failed to Statfs \"/no/such\": no such file or directory");
    gone.netns = "/etc/passwd";
    EXPECT_THAT(failure_without_trace(gone), StartsWith("unknown FS magic on \"/etc/passwd\": "));
}

// The kernel takes some of them for IPv4.
TEST_F(PodLinkFailure, RefusesAddressesThatNoPodCanHave)
{
    for (const char *address :
         {"0.0.0.0", "127.0.0.2", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"})
        EXPECT_EQ(failure_without_trace(request({"10.65.0.2", address})),
                  "failed to add IP addr to \"eth0\": cannot assign requested address");
    EXPECT_EQ(failure_without_trace(request({})), "the pod has no address");
}

TEST_F(PodLinkFailure, LeavesNothingWhenAnAddressIsRepeated)
{
    EXPECT_EQ(failure_without_trace(request({"10.65.0.2", "10.65.0.2"})),
              "failed to add IP addr to \"eth0\": file exists");
    EXPECT_EQ(failure_without_trace(request({"dead:beef::2", "dead:beef::2"})),
              "failed to add IP addr to \"eth0\": file exists");
}

TEST_F(PodLinkFailure, LeavesNothingWhenARouteIsRepeated)
{
    PodLinkRequest twice = request({"10.65.0.2", "dead:beef::2"});
    twice.routes = {*Cidr::parse("10.0.0.0/8"), *Cidr::parse("10.0.0.0/8")};
    EXPECT_EQ(failure_without_trace(twice),
              "failed to add IPv4 route for 10.0.0.0/8 via 169.254.1.1: file exists");
    twice.routes = {*Cidr::parse("::/0"), *Cidr::parse("::/0")};
    EXPECT_EQ(failure_without_trace(twice),
              "failed to add IPv6 route for ::/0 via fe80::ecee:eeff:feee:eeee: file exists");
}

TEST_F(PodLinkFailure, RestoresThePodsSysctls)
{
    pod_->run({"sysctl", "-qw", "net.ipv4.ip_forward=1"});
    pod_->run({"sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"});
    pod_->run({"sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=1"});
    const Netns other;
    test::veth_pair(*node_, "rival0", other, "eth0");
    node_->ip({"link", "set", "rival0", "up"});
    node_->ip({"route", "add", "10.65.0.2/32", "dev", "rival0"});

    failure_without_trace(request({"10.65.0.2", "dead:beef::2"}));

    EXPECT_EQ(sysctl(*pod_, "ipv4/ip_forward"), "1");
    EXPECT_EQ(sysctl(*pod_, "ipv6/conf/default/disable_ipv6"), "1");
    EXPECT_EQ(sysctl(*pod_, "ipv6/conf/lo/disable_ipv6"), "1");
}

TEST_F(PodLinkFailure, RefusesANameThatTheKernelRefuses)
{
    PodLinkRequest bad = request({"10.65.0.2"});
    bad.host_ifname = "eni/../../0123456";
    EXPECT_NE(failure_without_trace(bad), "success");
    bad.host_ifname = "a-prefix-that-is-too-long0123456789a";
    EXPECT_EQ(failure_without_trace(bad), "numerical result out of range");
}

TEST(PodMac, IsReadAsGoReadsIt)
{
    EXPECT_EQ(print_mac(parse_pod_mac("CA-FE-ca-fe-ca-fe").value()), "ca:fe:ca:fe:ca:fe");
    EXPECT_EQ(parse_pod_mac("nonsense").error().what(),
              "failed to parse MAC address nonsense provided via cni.projectcalico.org/hwAddr: "
              "address nonsense: invalid MAC address");
    EXPECT_EQ(parse_pod_mac("02:00:5e:10:00:00:00:01").error().what(),
              "failed to set container veth MAC to 02:00:5e:10:00:00:00:01 as requested via "
              "cni.projectcalico.org/hwAddr: invalid argument");
    EXPECT_EQ(parse_pod_mac("01:00:5e:10:00:00").error().what(),
              "failed to set container veth MAC to 01:00:5e:10:00:00 as requested via "
              "cni.projectcalico.org/hwAddr: cannot assign requested address");
    EXPECT_FALSE(parse_pod_mac("00:00:00:00:00:00"));
}

class HostRoute : public PodLinkFailure {
protected:
    void add_rival(const std::string &name, const std::string &address)
    {
        other_.emplace();
        test::veth_pair(*node_, name, *other_, "eth0");
        node_->ip({"link", "set", name, "up"});
        other_->ip({"link", "set", "eth0", "up"});
        node_->ip({"route", "add", address, "dev", name});
        wait_for_link_local(*node_, name);
    }

    // Until the kernel's worker has put that into the state of the node's interface, too.
    void take_carrier_from(const std::string &name)
    {
        const Deadline deadline = Deadline::in(std::chrono::seconds(10));
        other_->ip({"link", "set", "eth0", "down"});
        while (node_->ip({"-br", "link", "show", "dev", name}).find(" DOWN ") ==
               std::string::npos) {
            if (deadline.passed()) {
                ADD_FAILURE() << name << " keeps its carrier";
                return;
            }
            pause_for(std::chrono::milliseconds(5));
        }
    }

    std::optional<Netns> other_;
};

TEST_F(HostRoute, OfALivePodIsNotTaken)
{
    add_rival("calirival", "10.65.0.2/32");

    const std::string text = failure_without_trace(request({"10.65.0.2"}));

    EXPECT_THAT(text, StartsWith("error adding host side routes for interface: cali0123456789a, "
                                 "error: route (Ifindex: "));
    EXPECT_THAT(text, HasSubstr(", Dst: 10.65.0.2/32, Scope: link) already exists for an interface "
                                "other than 'cali0123456789a': route (Ifindex: "));
    EXPECT_THAT(text, HasSubstr(", Dst: 10.65.0.2/32, Scope: link, Iface: calirival)"));
}

TEST_F(HostRoute, OfALivePodIsNotTakenForIpv6Either)
{
    add_rival("calirival", "dead:beef::2/128");

    EXPECT_THAT(failure_without_trace(request({"10.65.0.2", "dead:beef::2"})),
                HasSubstr(", Dst: dead:beef::2/128, Scope: universe, Iface: calirival)"));
}

TEST_F(HostRoute, OfADeadPodIsTakenOver)
{
    add_rival("calirival", "10.65.0.2/32");
    node_->ip({"route", "add", "dead:beef::2/128", "dev", "calirival"});
    take_carrier_from("calirival");

    created(request({"10.65.0.2", "dead:beef::2"}));

    EXPECT_EQ(node_->ip({"route", "show"}), "10.65.0.2 dev cali0123456789a scope link \n");
    EXPECT_THAT(node_->ip({"-6", "route", "show", "dead:beef::2"}), HasSubstr(kHost));
}

TEST_F(HostRoute, OfAnInterfaceThatIsNoPodsIsNeverTaken)
{
    add_rival("tunnel0", "10.65.0.2/32");
    take_carrier_from("tunnel0");

    EXPECT_THAT(failure_without_trace(request({"10.65.0.2"})), HasSubstr("Iface: tunnel0)"));
}

TEST_F(HostRoute, OfNoInterfaceIsNeverTaken)
{
    node_->ip({"route", "add", "blackhole", "10.65.0.2/32"});

    EXPECT_THAT(failure_without_trace(request({"10.65.0.2"})), HasSubstr("Iface: unknown)"));
}

// Upstream stops at the first route that is there already.
TEST_F(HostRoute, ThatIsThereAlreadyDoesNotKeepTheOthersOut)
{
    PodLinkRequest doubled = request({"10.65.0.2", "10.65.0.3"});
    doubled.addresses.insert(doubled.addresses.begin(), *IpAddr::parse("10.65.0.4"));
    add_rival("calirival", "10.65.0.4/32");
    take_carrier_from("calirival");

    created(doubled);

    EXPECT_EQ(node_->ip({"route", "show"}),
              "10.65.0.2 dev cali0123456789a scope link \n"
              "10.65.0.3 dev cali0123456789a scope link \n"
              "10.65.0.4 dev cali0123456789a scope link \n");
}

class PodLinkCheck : public test::PodLinkNode {
protected:
    void SetUp() override
    {
        PodLinkNode::SetUp();
        if (!node_)
            return;
        request_ = request({"10.65.0.2", "dead:beef::2"});
        request_.mtu_bytes = 1400;
        mac_ = created(request_).mac;
    }

    std::string check_now() const { return check(request_, mac_); }

    PodLinkRequest request_;
    EtherAddr mac_{};
};

TEST_F(PodLinkCheck, FindsNothingWrongRightAfterwards)
{
    EXPECT_EQ(check_now(), "as it should be");
}

TEST_F(PodLinkCheck, FindsAMissingRouteOfThePod)
{
    pod_->ip({"route", "del", "default"});
    EXPECT_EQ(check_now(),
              "the pod has no route to 0.0.0.0/0 via 169.254.1.1 through its interface");
}

// Prefix, gateway and interface decide; a metric does not.
TEST_F(PodLinkCheck, FindsARouteThatLeadsElsewhere)
{
    const std::string missing =
        "the pod has no route to 0.0.0.0/0 via 169.254.1.1 through its interface";
    pod_->ip({"link", "add", "other", "type", "veth", "peer", "name", "its-peer"});
    pod_->ip({"link", "set", "other", "up"});
    const std::vector<std::vector<std::string>> wrong = {
        {"default", "via", "10.65.0.9", "dev", "eth0", "onlink"},
        {"default", "dev", "eth0"},
        {"default", "via", "169.254.1.1", "dev", "other", "onlink"},
        {"0.0.0.0/1", "via", "169.254.1.1", "dev", "eth0"}};
    std::string there = "default";
    for (const auto &route : wrong) {
        pod_->ip({"route", "del", there});
        there = route.front();
        std::vector<std::string> add{"route", "add"};
        add.insert(add.end(), route.begin(), route.end());
        pod_->ip(add);
        EXPECT_EQ(check_now(), missing) << there << ' ' << route.back();
    }
    pod_->ip({"route", "add", "default", "via", "169.254.1.1", "dev", "eth0", "metric", "7"});
    EXPECT_EQ(check_now(), "as it should be");
}

TEST_F(PodLinkCheck, FindsAHostRouteToAnotherPod)
{
    node_->ip({"link", "add", "other", "type", "veth", "peer", "name", "its-peer"});
    node_->ip({"link", "set", "other", "up"});
    node_->ip({"route", "replace", "10.65.0.2/32", "dev", "other"});
    EXPECT_EQ(check_now(), "the node has no route to 10.65.0.2/32 through its interface");
}

TEST_F(PodLinkCheck, FindsAMissingAddress)
{
    pod_->ip({"address", "del", "dead:beef::2/128", "dev", "eth0"});
    EXPECT_EQ(check_now(), "interface \"eth0\" has no address dead:beef::2/128");
}

TEST_F(PodLinkCheck, FindsAMissingHostRoute)
{
    node_->ip({"route", "del", "10.65.0.2"});
    EXPECT_EQ(check_now(), "the node has no route to 10.65.0.2/32 through its interface");
}

TEST_F(PodLinkCheck, FindsAnotherMtuOrMac)
{
    node_->ip({"link", "set", kHost, "mtu", "1500"});
    EXPECT_EQ(check_now(), "interface \"cali0123456789a\" has MTU 1500 and not 1400");
    pod_->ip({"link", "set", "eth0", "address", "02:00:00:00:00:01"});
    EXPECT_THAT(check_now(), StartsWith("interface \"eth0\" has MAC 02:00:00:00:00:01 and not "));
}

TEST_F(PodLinkCheck, FindsALinkThatIsDownOrGone)
{
    node_->ip({"link", "set", kHost, "down"});
    EXPECT_EQ(check_now(), "the node's interface \"cali0123456789a\" is down");
    node_->ip({"link", "set", kHost, "name", "sali0123456789a"});
    EXPECT_EQ(check_now(), "the node's interface \"cali0123456789a\" is missing");
    node_->ip({"link", "del", "sali0123456789a"});
    EXPECT_EQ(check_now(), "the pod's interface \"eth0\" is missing");
}

TEST_F(PodLinkCheck, FindsASysctlThatStopsTraffic)
{
    node_->run({"sysctl", "-qw", std::string("net.ipv4.conf.") + kHost + ".proxy_arp=0"});
    EXPECT_EQ(check_now(), "net.ipv4.conf.cali0123456789a.proxy_arp=0 and not 1");
}

TEST_F(PodLinkCheck, FindsTheNodesEndOfAnotherPod)
{
    const Netns second;
    node_->ip({"link", "set", kHost, "down"});
    node_->ip({"link", "set", kHost, "name", "sali0123456789a"});
    created(request_for(second, kHost, {"10.65.0.3"}));
    EXPECT_EQ(check(request_),
              "interface \"cali0123456789a\" of the node is not the other end of the pod's");
}

}  // namespace
}  // namespace tortie
