// SPDX-License-Identifier: Apache-2.0
//
// etcd servers that DNS names (ETCD_DISCOVERY_SRV).
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "harness/http_server.h"
#include "harness/netns.h"
#include "http/resolver.h"
#include "netns/name_server.h"
#include "store/etcd.h"

namespace tortie::test {
namespace {

using namespace std::chrono_literals;

class EtcdDiscovery : public ::testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.ip({"link", "set", "lo", "up"});
    }

    // In a thread of its own, because its mounts are its own.
    void on_the_node(const std::function<void()> &body) const
    {
        std::thread([&] { node_.inside([&] { body(); }); }).join();
    }

    Netns node_;
};

Deadline soon()
{
    return Deadline::in(5s);
}

store::Found read_from(const std::string &domain)
{
    store::EtcdSettings settings;
    settings.discovery_domain = domain;
    const store::Query query = store::ListHandles{};
    return std::move(store::open_etcd(settings).value()->read({&query, 1}, soon()).front());
}

TEST_F(EtcdDiscovery, TakesTheHostsOfAServiceByPriorityAndWeight)
{
    on_the_node([] {
        const NameServer names(
            {{"_etcd-client._tcp.lab.example",
              {{.priority = 20, .weight = 9, .port = 3, .host = "c.lab.example"},
               {.priority = 10, .weight = 1, .port = 2, .host = "b.lab.example"},
               {.priority = 10, .weight = 5, .port = 1, .host = "a.lab.example"}}}});

        const auto hosts = http::resolve_service("_etcd-client._tcp.lab.example", soon());

        ASSERT_TRUE(hosts) << hosts.error().what();
        ASSERT_EQ(hosts->size(), 3U);
        EXPECT_EQ(hosts->at(0).host, "a.lab.example");
        EXPECT_EQ(hosts->at(1).port, 2);
        EXPECT_EQ(hosts->at(2).host, "c.lab.example");
    });
}

TEST_F(EtcdDiscovery, FindsAServerAndGoesOnWhenTheFirstIsAway)
{
    on_the_node([] {
        const HttpServer etcd({[](HttpPeer &peer) {
            peer.request();
            peer.answer(200, R"({"header":{"revision":"7"},"succeeded":true,)"
                             R"("responses":[{"response_range":{}}]})");
        }});
        const NameServer names(
            {{"_etcd-client._tcp.lab.example",
              {{.priority = 1, .weight = 0, .port = 9, .host = "away.lab.example"},
               {.priority = 2, .weight = 0, .port = etcd.port(), .host = "here.lab.example"}}}});

        const store::Found found = read_from("lab.example");

        ASSERT_TRUE(found) << found.error().what();
        EXPECT_TRUE(found->empty());
    });
}

TEST_F(EtcdDiscovery, FailsWhereNoServerIsNamed)
{
    on_the_node([] {
        const NameServer names({});

        const store::Found found = read_from("lab.example");

        ASSERT_FALSE(found);
        EXPECT_EQ(found.error().kind(), ErrorKind::kTryAgain);
        EXPECT_EQ(found.error().what(),
                  "look for etcd: lookup _etcd-client._tcp.lab.example: no such host");
    });
}

}  // namespace
}  // namespace tortie::test
