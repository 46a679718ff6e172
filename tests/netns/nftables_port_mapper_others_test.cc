// SPDX-License-Identifier: Apache-2.0
#include "netns/nftables_node.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/scope_exit.h"
#include "base/unique_fd.h"
#include "datapath/localnet_guard.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// Runs `body` in `count` processes at once; the number of those that failed.
template <class Body>
int failures_of(int processes, Body &&body)
{
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i) {
        const pid_t child = ::fork();
        if (child == 0)
            ::_exit(body(i) ? 0 : 1);
        children.push_back(child);
    }
    int failed = 0;
    for (const pid_t child : children) {
        int status = -1;
        ::waitpid(child, &status, 0);
        failed += status != 0;
    }
    return failed;
}

TEST_F(NftablesPortMapperTest, SurvivesThirtyCallsAtOnceOnAnEmptyNode)
{
    const auto one = [](int i) {
        return pod("ctr" + std::to_string(i), i + 2, std::uint16_t(80 + i));
    };

    EXPECT_EQ(failures_of(30, [&](int i) { return try_publish(one(i)).has_value(); }), 0);

    for (int i = 0; i < 30; ++i)
        EXPECT_EQ(check(one(i)), "");
    EXPECT_EQ(count(ruleset(), "comment \"published ports\""), 2);
    EXPECT_EQ(
        failures_of(30,
                    [&](int i) {
                        return node_->inside([&] { return mapper_.withdraw(one(i)); }).has_value();
                    }),
        0);
    EXPECT_THAT(ruleset(), Not(HasSubstr("elements")));
}

TEST_F(NftablesPortMapperTest, GivesOnePortToOneOfThirtyAtOnce)
{
    failures_of(30, [&](int i) {
        return try_publish(pod("ctr" + std::to_string(i), i + 2, 80)).has_value();
    });

    EXPECT_EQ(count(map("ports4"), "tcp . 80 "), 1);
    EXPECT_EQ(count(map("waiting4"), "tcp . 80 "), 29);
}

TEST_F(NftablesPortMapperTest, MakesOneEntryRuleWhenManyNeedTheFirst)
{
    const auto one = [](int i) {
        Publication out = pod("ctr" + std::to_string(i), i + 2, std::uint16_t(80 + i));
        out.policy.conditions_v4 = {"iifname", "eth0"};
        return out;
    };
    EXPECT_EQ(failures_of(10, [&](int i) { return try_publish(one(i)).has_value(); }), 0);
    publish(one(11));

    EXPECT_EQ(count(nft({"list", "chain", "inet", "tortie", "hostports"}), "iifname"), 1);
}

TEST_F(NftablesPortMapperTest, GetsThroughWhileOthersKeepChangingNfTables)
{
    const pid_t busy = ::fork();
    if (busy == 0) {
        auto tables = node_->inside([] { return nft::NfTables::open(); });
        const nft::Table other{.family = nft::TableFamily::kInet, .name = "other"};
        while (true) {
            nft::Batch batch(other);
            batch.add_table();
            if (!tables->commit(std::move(batch)))
                ::_exit(1);
            ::usleep(1000);
        }
    }
    const ScopeExit stop([&] {
        ::kill(busy, SIGKILL);
        ::waitpid(busy, nullptr, 0);
    });

    for (int i = 0; i < 20; ++i)
        publish(pod("ctr" + std::to_string(i), i + 2, std::uint16_t(80 + i)));

    EXPECT_EQ(check(pod("ctr19", 21, 99)), "");
}

TEST_F(NftablesPortMapperTest, NeverRemovesWhatIsNotItsOwn)
{
    publish(pod("ctr", 2, 8080));
    nft({"add", "element", "inet", "tortie", "ports4", "{ tcp . 90 : 192.0.2.9 . 90 }"});
    nft({"add", "element", "inet", "tortie", "ports4",
         "{ tcp . 91 comment \"web server\" : 192.0.2.9 . 91 }"});
    Publication claims_it = pod("ctr", 2, 8080);
    claims_it.mappings.push_back(mapping(90));
    claims_it.mappings.push_back(mapping(91));

    EXPECT_THAT(publish(claims_it), SizeIs(2));
    EXPECT_THAT(withdraw(claims_it), SizeIs(1));

    EXPECT_THAT(map("ports4"), AllOf(HasSubstr("tcp . 90 : 192.0.2.9 . 90"),
                                     HasSubstr("web server"), Not(HasSubstr("8080"))));
    EXPECT_THAT(map("waiting4"), Not(HasSubstr("elements")));
}

struct Damage {
    std::vector<std::string> nft;
    std::string complaint;
};

class Damaged : public NftablesPortMapperTest, public testing::WithParamInterface<Damage> {};

TEST_P(Damaged, IsNamedByCheckAndRepairedByPublish)
{
    publish(pod("other", 9, 9));
    publish(pod("ctr", 2, 8080));

    nft(GetParam().nft);
    EXPECT_THAT(check(pod("ctr", 2, 8080)), HasSubstr(GetParam().complaint));

    publish(pod("ctr", 2, 8080));
    EXPECT_EQ(check(pod("ctr", 2, 8080)), "");
    EXPECT_EQ(check(pod("other", 9, 9)), "");
    EXPECT_THAT(withdraw(pod("ctr", 2, 8080)), SizeIs(1));
    EXPECT_THAT(ruleset(), Not(HasSubstr("8080")));
}

INSTANTIATE_TEST_SUITE_P(
    ByHand, Damaged,
    testing::Values(Damage{{"delete", "element", "inet", "tortie", "ports4", "{ tcp . 8080 }"},
                           "8080/tcp: not found"},
                    Damage{{"delete", "element", "inet", "tortie", "masq_ports4_8",
                            "{ 127.0.0.0 . tcp . 8080 }"},
                           "not found in set masq_ports4_8"},
                    Damage{{"flush", "chain", "inet", "tortie", "prerouting"}, "table inet tortie"},
                    Damage{{"delete", "chain", "inet", "tortie", "output"}, "table inet tortie"},
                    Damage{{"flush", "chain", "inet", "tortie", "hostports"}, "table inet tortie"},
                    Damage{{"flush", "chain", "inet", "tortie", "hostports4"}, "chain hostports4"},
                    Damage{{"flush", "chain", "inet", "tortie", "from_ports4"}, "masq_ports4"},
                    Damage{{"delete", "chain", "inet", "tortie", "localnet"}, "chain localnet"}));

TEST_F(NftablesPortMapperTest, RepairsASetThatNoRuleHolds)
{
    publish(pod("ctr", 2, 8080));
    nft({"delete", "map", "inet", "tortie", "published"});

    publish(pod("second", 3, 81));

    EXPECT_THAT(map("published"), HasSubstr("net second eth0"));
    EXPECT_THAT(withdraw(pod("ctr", 2, 8080)), SizeIs(1));
}

TEST_F(NftablesPortMapperTest, CollectsWhatTheRuntimeDoesNotListAnyMore)
{
    Publication other_network = pod("c", 4, 82);
    other_network.attachment.network = "other";
    publish(pod("a", 2, 80));
    publish(pod("b", 3, 81));
    publish(other_network);
    publish(pod("waits", 5, 80));

    const auto collected = node_->inside([&] {
        return mapper_.collect_garbage("net", {{"net", "b", "eth0"}});
    });

    ASSERT_TRUE(collected) << collected.error().what();
    EXPECT_THAT(*collected, SizeIs(1));
    EXPECT_EQ(check(pod("b", 3, 81)), "");
    EXPECT_EQ(check(other_network), "");
    EXPECT_THAT(ruleset(), AllOf(Not(HasSubstr("net a ")), Not(HasSubstr("net waits "))));
}

TEST_F(NftablesPortMapperTest, RemovesTheGoPluginsRulesOfTheContainer)
{
    for (const std::string family : {"ip", "ip6"}) {
        nft({"add", "table", family, "cni_hostport"});
        for (const std::string chain : {"hostports", "hostip_hostports", "masquerading", "mine"}) {
            nft({"add", "chain", family, "cni_hostport", chain});
            for (const std::string id : {"ctr", "ctr2"})
                nft({"add", "rule", family, "cni_hostport", chain, "tcp", "dport", "80", "accept",
                     "comment", "\"" + id + "\""});
        }
    }

    withdraw(pod("ctr", 2, 8080));

    EXPECT_EQ(count(ruleset(), "comment \"ctr\""), 2) << "those of chain `mine`";
    EXPECT_EQ(count(ruleset(), "comment \"ctr2\""), 8);
}

TEST_F(NftablesPortMapperTest, BringsTheGuardOfLocalhost)
{
    publish(pod("ctr", 2, 8080));

    EXPECT_THAT(nft({"list", "chain", "inet", "tortie", "localnet"}),
                HasSubstr("iif != \"lo\" ip daddr 127.0.0.0/8 drop"));
}

TEST_F(NftablesPortMapperTest, ComesAfterNodePortsAndLoadBalancers)
{
    publish(pod("ctr", 2, 8080));

    EXPECT_THAT(nft({"list", "chain", "inet", "tortie", "prerouting"}),
                HasSubstr("hook prerouting priority dstnat + 1"));
}

class LocalnetGuardTest : public NftablesPortMapperTest {};

TEST_F(LocalnetGuardTest, StandsAloneOnceHoweverOftenItIsAskedFor)
{
    for (int i = 0; i < 3; ++i) {
        const auto done = node_->inside([] { return ensure_localnet_guard(); });
        ASSERT_TRUE(done) << done.error().what();
    }

    EXPECT_EQ(count(ruleset(), "127.0.0.0/8 drop"), 1);
    EXPECT_EQ(count(ruleset(), "chain"), 1);
}

TEST_F(LocalnetGuardTest, StaysWhenPortsArePublishedBesideIt)
{
    ASSERT_TRUE(node_->inside([] { return ensure_localnet_guard(); }));
    publish(pod("ctr", 2, 8080));
    withdraw(pod("ctr", 2, 8080));
    ASSERT_TRUE(node_->inside([] { return ensure_localnet_guard(); }));

    EXPECT_EQ(count(ruleset(), "127.0.0.0/8 drop"), 1);
}

// A neighbour that sends a frame for 127.0.0.1: with route_localnet, only the guard is in its way.
TEST_F(LocalnetGuardTest, DropsFramesOfTheLinkToLocalhost)
{
    const test::Netns neighbour;
    test::veth_pair(neighbour, "eth0", *node_, "uplink");
    neighbour.ip({"addr", "add", "192.0.2.2/24", "dev", "eth0"});
    neighbour.ip({"link", "set", "eth0", "up"});
    node_->ip({"addr", "add", "192.0.2.1/24", "dev", "uplink"});
    node_->ip({"link", "set", "uplink", "up"});
    node_->ip({"link", "set", "lo", "up"});
    // lo is down there, so the address is not the neighbour's own.
    neighbour.ip({"route", "add", "127.0.0.1/32", "via", "192.0.2.1", "dev", "eth0"});
    neighbour.run({"sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1"});
    node_->run({"sysctl", "-qw", "net.ipv4.conf.uplink.route_localnet=1"});
    nft({"add", "table", "ip", "seen"});
    for (const std::string when : {"-400", "-200"}) {
        const std::string chain = "at" + when.substr(1);
        nft({"add", "chain", "ip", "seen", chain,
             "{ type filter hook prerouting priority " + when + "; }"});
        nft({"add", "rule", "ip", "seen", chain, "ip", "daddr", "127.0.0.1", "counter"});
    }
    const auto seen = [&](const std::string &chain) {
        return count(nft({"list", "chain", "ip", "seen", chain}), "packets 0 ") == 0;
    };
    const auto send = [&] {
        return neighbour.inside([] {
            const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(8080);
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return ::sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr *>(&to),
                            sizeof(to));
        });
    };
    const auto arrives_at = [&](const std::string &chain) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!seen(chain) && std::chrono::steady_clock::now() < deadline)
            EXPECT_EQ(send(), 1);
        return seen(chain);
    };

    ASSERT_TRUE(node_->inside([] { return ensure_localnet_guard(); }));

    EXPECT_TRUE(arrives_at("at400"));
    EXPECT_FALSE(seen("at200"));
    nft({"delete", "table", "inet", "tortie"});
    EXPECT_TRUE(arrives_at("at200")) << "the frame is what the guard is for";
}

}  // namespace
}  // namespace tortie
