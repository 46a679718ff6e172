// SPDX-License-Identifier: Apache-2.0
//
// portmap with programs, beside what else filters and shapes on a node: what netfilter would refuse
// is never carried, a limit is never passed by, and what cannot be had is said.
#include <sys/mount.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/deadline.h"
#include "base/pause.h"
#include "datapath/ebpf_dump.h"
#include "harness/live_stream.h"
#include "harness/traffic.h"
#include "loader/portmap_object.h"
#include "netns/portmap_node.h"

namespace tortie::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char *kUplink = "192.0.2.1";
constexpr Way kAuto = {"auto", "nftables", false, "auto"};
constexpr Way kAutoClsact = {"auto_clsact", "nftables", false, "auto", "tcx_link"};

class EbpfPortmap : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_BPF();
        use(kEbpf);
    }

    void use(const Way &way)
    {
        net_.reset();
        net_.emplace(way);
    }

    const PortmapNode &net() const { return *net_; }
    const Netns &node() const { return net().node(); }

    LiveStream stream() const
    {
        return {net().outside(),         kUplink, 8080,
                net().netns_of(kPodOne), 80,      LiveStream::Flow::kBothWays};
    }

    // Within three seconds, while the stream moves.
    template <class Condition>
    static bool comes(const LiveStream &stream, Condition condition)
    {
        const Deadline deadline = Deadline::in(std::chrono::seconds(3));
        while (!condition()) {
            if (deadline.passed() || !stream.moves())
                return false;
        }
        return true;
    }

    bool is_carried(const LiveStream &stream) const
    {
        const auto before = net().carried();
        return comes(stream, [&] { return net().carried() > before + 20; });
    }

    // Of a qdisc at the pod's veth: "Sent 1234 bytes ...".
    std::uint64_t bytes_through_queue() const
    {
        const std::string shown = node().run({"tc", "-s", "qdisc", "show", "dev", "veth1", "root"});
        const std::size_t sent = shown.find("Sent ");
        return sent == std::string::npos ? 0 : std::stoull(shown.substr(sent + 5));
    }

    const PortmapCall call_ = {.mappings = tcp(8080, 80)};
    std::optional<PortmapNode> net_;
};

TEST_F(EbpfPortmap, LoadsOnceAmongThirtyFirstAdds)
{
    std::vector<std::thread> calls;
    std::vector<PluginOutcome> outcomes(30);
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        calls.emplace_back([&, i] {
            const int port = 9000 + static_cast<int>(i);
            outcomes[i] =
                net().call(ours(), "ADD", i % 2 == 0 ? kPodOne : kPodTwo,
                           {.mappings = tcp(port, 80), .container = "racer" + std::to_string(i)});
        });
    for (std::thread &call : calls)
        call.join();

    for (const PluginOutcome &outcome : outcomes)
        EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
    EXPECT_EQ(PinRoot().abis().value(), std::vector<unsigned>{kPortmapAbi});
    const auto uplinks =
        TypedMap<std::uint32_t, pm_uplink>::open(PinRoot().folder(kPortmapAbi).map("tt_pm_uplink"));
    int count = 0;
    ASSERT_TRUE(uplinks->visit([&](const std::uint32_t &, const pm_uplink &) {
        count++;
        return true;
    }));
    EXPECT_EQ(count, 1);
}

TEST_F(EbpfPortmap, SaysThatProgramsThatAreAskedForCannotBeHad)
{
    ASSERT_EQ(::mount("none", "/sys/fs/bpf", "tmpfs", 0, nullptr), 0);

    const PluginOutcome outcome = net().call(ours(), "ADD", kPodOne, call_);

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr(R"("code": 50)"));
    EXPECT_THAT(outcome.out, HasSubstr("bpffs"));
    EXPECT_THAT(node().run({"nft", "list", "ruleset"}), Not(HasSubstr("8080")));
    net().del(kPodOne, call_);
    ASSERT_EQ(::umount2("/sys/fs/bpf", MNT_DETACH), 0);
}

TEST_F(EbpfPortmap, FallsBackAloudAndOnceWhenProgramsAreOnlyWishedFor)
{
    use(kAuto);
    ASSERT_EQ(::mount("none", "/sys/fs/bpf", "tmpfs", 0, nullptr), 0);
    ::unlink("/run/tortie/portmap-netfilter-only");

    const PluginOutcome first = net().call(ours(), "ADD", kPodOne, call_);
    const PluginOutcome second = net().call(ours(), "ADD", kPodOne, call_);

    EXPECT_EQ(first.status, 0) << first.out;
    EXPECT_THAT(first.err, HasSubstr("netfilter carries them alone"));
    EXPECT_THAT(second.err, Not(HasSubstr("netfilter carries them alone")));
    const AddressEcho server(net().netns_of(kPodOne), Transport::kTcp, 80, "one");
    EXPECT_EQ(ask(net().outside(), Transport::kTcp, kUplink, 8080), "one 192.0.2.2");
    EXPECT_EQ(net().check(kPodOne, call_).status, 0);
    net().del(kPodOne, call_);
    ASSERT_EQ(::umount2("/sys/fs/bpf", MNT_DETACH), 0);
    ::unlink("/run/tortie/portmap-netfilter-only");
}

TEST_F(EbpfPortmap, ShowsWhatItDoes)
{
    const auto dump = [&] { return node().inside([] { return dump_ebpf({}); }).value(); };
    EXPECT_EQ(dump(), "no programs are loaded\n");
    net().add(kPodOne, call_);
    LiveStream live = stream();
    ASSERT_TRUE(is_carried(live)) << live.trouble();

    const std::string shown = dump();

    EXPECT_THAT(shown, HasSubstr("programs of ABI 1: on, flows are adopted\n"));
    EXPECT_THAT(shown, HasSubstr("  up0: attached, nothing in the way\n"));
    EXPECT_THAT(shown, HasSubstr("  10.66.0.2 at veth1: attached, nothing in the way\n"));
    EXPECT_THAT(shown, HasSubstr("  tcp *:8080 -> 10.66.0.2:80\n"));
    EXPECT_THAT(shown, HasSubstr("  tcp *:8080 -> [fd00:66::2]:80\n"));
    EXPECT_THAT(shown, HasSubstr(" -> 192.0.2.1:8080 -> 10.66.0.2:80, adopted\n"));
    EXPECT_THAT(shown, HasSubstr("  carried to the pod: "));
}

TEST_F(EbpfPortmap, CheckNoticesALostMapEntryAndAddRepairsIt)
{
    net().add(kPodOne, call_);
    ASSERT_EQ(net().check(kPodOne, call_).status, 0);
    const auto maps = PortmapMaps::open(PinRoot().folder(kPortmapAbi));
    std::vector<pm_hostport_key> keys;
    ASSERT_TRUE(maps->hostports.visit([&](const pm_hostport_key &key, const pm_hostport &) {
        keys.push_back(key);
        return true;
    }));
    for (const pm_hostport_key &key : keys)
        ASSERT_TRUE(maps->hostports.erase(key));

    EXPECT_THAT(net().check(kPodOne, call_).out,
                HasSubstr("map tt_pm_hostport has no entry for port 8080/tcp"));
    net().add(kPodOne, call_);
    EXPECT_EQ(net().check(kPodOne, call_).status, 0);
}

TEST_F(EbpfPortmap, DelLeavesNeitherEntryNorBitNorLink)
{
    net().add(kPodOne, call_);
    net().add(kPodTwo, {.mappings = tcp(8081, 80)});
    net().del(kPodOne, call_);

    const PinFolder folder = PinRoot().folder(kPortmapAbi);
    const auto maps = PortmapMaps::open(folder);
    int entries = 0;
    ASSERT_TRUE(maps->hostports.visit([&](const pm_hostport_key &, const pm_hostport &) {
        entries++;
        return true;
    }));
    EXPECT_EQ(entries, 2);  // of pod two, one a family
    EXPECT_EQ(maps->state->hostport_bits[0][8080 / 64] >> (8080 % 64) & 1, 0U);
    EXPECT_EQ(maps->state->hostport_bits[0][8081 / 64] >> (8081 % 64) & 1, 1U);
    EXPECT_THAT(folder.link_names().value(), testing::SizeIs(2));  // the uplink's and pod two's
}

struct Firewall {
    const char *name;
    std::vector<std::vector<std::string>> commands;
};

class EbpfBesideFirewall : public EbpfPortmap, public testing::WithParamInterface<Firewall> {
protected:
    void refuse() const
    {
        for (const auto &command : GetParam().commands)
            node().run(command);
    }
};

INSTANTIATE_TEST_SUITE_P(
    , EbpfBesideFirewall,
    testing::Values(
        Firewall{"nft_inet",
                 {{"nft", "add table inet fw"},
                  {"nft", "add chain inet fw f { type filter hook forward priority 0; }"},
                  {"nft", "add rule inet fw f ct state established accept"},
                  {"nft", "add rule inet fw f tcp dport 80 drop"}}},
        Firewall{"iptables_nft",
                 {{"iptables-nft", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "ESTABLISHED",
                   "-j", "ACCEPT"},
                  {"iptables-nft", "-A", "FORWARD", "-p", "tcp", "--dport", "80", "-j", "DROP"}}},
        Firewall{
            "iptables_legacy",
            {{"iptables-legacy", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "ESTABLISHED",
              "-j", "ACCEPT"},
             {"iptables-legacy", "-A", "FORWARD", "-p", "tcp", "--dport", "80", "-j", "DROP"}}},
        Firewall{"nft_netdev",
                 {{"nft", "add table netdev fw"},
                  {"nft",
                   "add chain netdev fw f { type filter hook ingress device up0 priority 0; "
                   "}"},
                  {"nft",
                   "add rule netdev fw f tcp dport 8080 tcp flags & (syn|ack) == syn "
                   "drop"}}}),
    [](const auto &test) { return test.param.name; });

TEST_P(EbpfBesideFirewall, CarriesNothingThatWasForbiddenBeforeAdd)
{
    refuse();
    const AddressEcho server(net().netns_of(kPodOne), Transport::kTcp, 80, "one");

    net().add(kPodOne, call_);

    EXPECT_TRUE(nobody_answers(net().outside(), Transport::kTcp, kUplink, 8080));
    EXPECT_EQ(net().carried(), 0U);
}

TEST_P(EbpfBesideFirewall, LetsNoNewConnectionPassThatIsForbiddenUnderLiveFlows)
{
    net().add(kPodOne, call_);
    LiveStream live = stream();
    ASSERT_TRUE(is_carried(live)) << live.trouble();

    refuse();

    EXPECT_TRUE(nobody_answers(net().outside(), Transport::kTcp, kUplink, 8080));
    EXPECT_TRUE(live.moves()) << live.trouble();
}

// What the bandwidth plugin does behind portmap in a chain.
TEST_F(EbpfPortmap, PassesNoQueueByThatIsPutAtThePodsVeth)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80) + "," + tcp(8081, 81)});
    LiveStream live = stream();
    ASSERT_TRUE(is_carried(live)) << live.trouble();

    if (!node().try_run({"tc", "qdisc", "add", "dev", "veth1", "root", "tbf", "rate", "80mbit",
                         "burst", "64kb", "latency", "50ms"}))
        GTEST_SKIP() << "needs sch_tbf";

    // Live connections go through it, carried or not; new ones are netfilter's.
    EXPECT_TRUE(comes(live, [&] { return bytes_through_queue() > 1'000'000; })) << live.trouble();
    const auto adopted = net().count(TORTIE_PM_ADOPTED_FORWARD);
    const AddressEcho server(net().netns_of(kPodOne), Transport::kTcp, 81, "one");
    EXPECT_EQ(ask(net().outside(), Transport::kTcp, kUplink, 8081), "one 192.0.2.2");
    EXPECT_EQ(net().count(TORTIE_PM_ADOPTED_FORWARD), adopted);
}

// What the bandwidth plugin does in the same ADD when the pod's sending is limited.
TEST_F(EbpfPortmap, WithoutTcxLeavesTheHookOfAPodToThePluginsBehindIt)
{
    use(kAutoClsact);
    net().add(kPodOne, call_);

    node().run({"tc", "qdisc", "add", "dev", "veth1", "ingress"});
    net().add(kPodTwo, {.mappings = tcp(8082, 80)});

    EXPECT_EQ(net().check(kPodOne, call_).status, 0);
    const AddressEcho server(net().netns_of(kPodOne), Transport::kTcp, 80, "one");
    EXPECT_EQ(ask(net().outside(), Transport::kTcp, kUplink, 8080), "one 192.0.2.2");
    EXPECT_THAT(node().run({"tc", "qdisc", "show", "dev", "veth1"}), HasSubstr("qdisc ingress"));
    net().del(kPodOne, call_);
}

TEST_F(EbpfPortmap, WithoutTcxCarriesAPodFromTheNextCallOn)
{
    use(kAutoClsact);
    net().add(kPodOne, call_);
    EXPECT_THAT(node().run({"tc", "filter", "show", "dev", "up0", "ingress"}),
                HasSubstr("tt_pm_ingress"));
    EXPECT_EQ(node().run({"tc", "filter", "show", "dev", "veth1", "ingress"}), "");

    net().add(kPodTwo, {.mappings = tcp(8082, 80)});

    EXPECT_THAT(node().run({"tc", "filter", "show", "dev", "veth1", "ingress"}),
                HasSubstr("tt_pm_reply"));
    LiveStream live = stream();
    EXPECT_TRUE(is_carried(live)) << live.trouble();
}

TEST_F(EbpfPortmap, LeavesAPodToTheBridgeThatItsVethJoins)
{
    node().ip({"link", "add", "br7", "type", "bridge"});
    node().ip({"link", "set", "veth1", "master", "br7"});

    const PluginOutcome outcome = net().call(ours(), "ADD", kPodOne, call_);

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("the pod's packets are left to netfilter"));
    EXPECT_EQ(net().check(kPodOne, call_).status, 0);
}

TEST_F(EbpfPortmap, KeepsAPodOffWhoseLinkIsWiderThanTheUplink)
{
    node().ip({"link", "set", "up0", "mtu", "1400"});

    const PluginOutcome outcome = net().call(ours(), "ADD", kPodOne, call_);

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("the MTU of veth1 is above that of uplink up0"));
}

TEST_F(EbpfPortmap, ServesAPodThatWasMadeAnewWithTheSameAddressAndNumber)
{
    net().add(kPodOne, call_);
    const std::string shown = node().ip({"-o", "link", "show", "veth1"});  // "4: veth1@..."
    {
        LiveStream live = stream();
        ASSERT_TRUE(is_carried(live)) << live.trouble();
    }
    net().del(kPodOne, call_);
    node().ip({"link", "del", "veth1"});
    net().make_pod_again(kPodOne, shown.substr(0, shown.find(':')));

    net().add(kPodOne, call_);

    LiveStream live = stream();
    EXPECT_TRUE(is_carried(live)) << live.trouble();
}

TEST_F(EbpfPortmap, GoesOnAfterItsUplinkWasMadeAnew)
{
    net().add(kPodOne, call_);
    node().ip({"link", "del", "up0"});
    net().connect_outside();
    const AddressEcho server(net().netns_of(kPodOne), Transport::kTcp, 80, "one");
    EXPECT_EQ(ask(net().outside(), Transport::kTcp, kUplink, 8080), "one 192.0.2.2");

    net().add(kPodTwo, {.mappings = tcp(8081, 81)});

    const auto before = net().carried();
    EXPECT_EQ(ask(net().outside(), Transport::kTcp, kUplink, 8080), "one 192.0.2.2");
    EXPECT_GT(net().carried(), before);
}

}  // namespace
}  // namespace tortie::test
