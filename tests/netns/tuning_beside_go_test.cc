// SPDX-License-Identifier: Apache-2.0
//
// Upgrade and downgrade in place: the Go plugin's ADD and our DEL, and the other way round.
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/tuning_fixture.h"

namespace tortie {
namespace {

using test::PluginOutcome;
using testing::HasSubstr;

constexpr const char *kEverything =
    R"("mac": "c2:11:22:33:44:55", "promisc": true, "mtu": 1400, "allmulti": true, "txQLen": 7,
       "sysctl": {"net.ipv4.conf.IFNAME.tag": "7"})";

class TuningBesideGo : public TuningInNetns {
protected:
    void SetUp() override
    {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
        const char *folder = std::getenv("TORTIE_GO_PLUGINS");
        go_ = std::string(folder != nullptr ? folder : "/usr/lib/cni") + "/tuning";
        if (!std::filesystem::exists(go_))
            GTEST_SKIP() << "needs the Go plugin: no " << go_;
        TuningInNetns::SetUp();
    }

    void expect_as_before() const
    {
        EXPECT_EQ(eth0().mtu, 1500u);
        EXPECT_EQ(mac_of(eth0()), "0a:00:00:00:00:01");
        EXPECT_FALSE(eth0().promisc() || eth0().allmulti());
        EXPECT_TRUE(data_dir_is_empty());
    }

    static constexpr const char *kLinkKeys =
        R"("mac": "c2:11:22:33:44:55", "promisc": true, "mtu": 1400, "allmulti": true)";
    std::string go_;
};

TEST_F(TuningBesideGo, RestoresWhatTheGoPluginHasChanged)
{
    const PluginOutcome added = call({.verb = "ADD", .keys = kLinkKeys, .binary = go_});
    ASSERT_EQ(added.status, 0) << added.out << added.err;
    ASSERT_EQ(eth0().mtu, 1400u);

    EXPECT_EQ(del().status, 0);

    expect_as_before();
}

TEST_F(TuningBesideGo, KeepsTheGoPluginsValuesWhenItsAddIsRepeatedByUs)
{
    ASSERT_EQ(call({.verb = "ADD", .keys = kLinkKeys, .binary = go_}).status, 0);
    ASSERT_EQ(add(kEverything).status, 0);

    EXPECT_EQ(del().status, 0);

    expect_as_before();
}

TEST_F(TuningBesideGo, IsRestoredByTheGoPlugin)
{
    ASSERT_EQ(add(kEverything).status, 0);

    const PluginOutcome deleted = call({.verb = "DEL", .keys = kLinkKeys, .binary = go_});

    EXPECT_EQ(deleted.status, 0) << deleted.out << deleted.err;
    expect_as_before();
}

TEST_F(TuningBesideGo, AnswersAndBacksUpAsTheGoPluginDoes)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    if (std::getenv("TORTIE_GO_PLUGINS") == nullptr)
        GTEST_SKIP() << "needs the Go plugins v1.9.1 in TORTIE_GO_PLUGINS; older ones print "
                        "results otherwise";
    const PluginOutcome theirs = call({.verb = "ADD", .keys = kLinkKeys, .binary = go_});
    const std::string their_backup = backup().value();
    ASSERT_EQ(call({.verb = "DEL", .keys = kLinkKeys, .binary = go_}).status, 0);

    const PluginOutcome ours = add(kLinkKeys);

    EXPECT_EQ(ours.out, theirs.out);
    std::string without_network = backup().value();
    const std::string network = ",\n \"network\": \"podnet\"";
    ASSERT_THAT(without_network, HasSubstr(network));
    without_network.erase(without_network.find(network), network.size());
    EXPECT_EQ(without_network, their_backup);
}

}  // namespace
}  // namespace tortie
