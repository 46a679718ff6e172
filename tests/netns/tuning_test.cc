// SPDX-License-Identifier: Apache-2.0
//
// tuning's behaviour in each version: what upstream's own suite covers.
#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/tuning_fixture.h"

namespace tortie {
namespace {

using test::PluginOutcome;
using testing::HasSubstr;

constexpr const char *kMac = "c2:11:22:33:44:55";

class Tuning : public TuningInNetns, public testing::WithParamInterface<const char *> {
protected:
    std::string version() const { return GetParam(); }

    // ADD with these keys, CHECK where the version has it, then `changed`, DEL, and everything is
    // as it was.
    void live_through(const std::string &keys, const std::function<void(const Link &)> &changed,
                      const std::string &args = "")
    {
        const Link before = eth0();
        Call step{.verb = "ADD", .keys = keys, .version = version(), .args = args};
        const PluginOutcome added = call(step);
        ASSERT_EQ(added.status, 0) << added.out;
        changed(eth0());

        step.verb = "CHECK";
        if (version() >= "0.4.0") {
            EXPECT_EQ(call(step).out, "");
        }
        step.verb = "DEL";
        const PluginOutcome deleted = call(step);
        EXPECT_EQ(deleted.status, 0) << deleted.out;
        EXPECT_EQ(deleted.out, "");
        expect_same(eth0(), before);
        EXPECT_TRUE(data_dir_is_empty());
    }

    static void expect_same(const Link &now, const Link &before)
    {
        EXPECT_EQ(mac_of(now), mac_of(before));
        EXPECT_EQ(now.mtu, before.mtu);
        EXPECT_EQ(now.tx_queue_len, before.tx_queue_len);
        EXPECT_EQ(now.flags, before.flags);
        EXPECT_EQ(now.promiscuity, before.promiscuity);
    }
};

INSTANTIATE_TEST_SUITE_P(, Tuning,
                         testing::Values("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0",
                                         "1.1.0"),
                         [](const auto &test) {
                             std::string name = test.param;
                             std::replace(name.begin(), name.end(), '.', '_');
                             return name;
                         });

TEST_P(Tuning, PassesThePreviousResultThroughAndSetsASysctl)
{
    const std::string before = sysctl("ipv4/conf/all/log_martians");
    const char *keys = R"("sysctl": {"net.ipv4.conf.all.log_martians": "1"})";

    const PluginOutcome added = call({.verb = "ADD", .keys = keys, .version = version()});

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_THAT(added.out, HasSubstr("\"cniVersion\": \"" + version() + '"'));
    EXPECT_THAT(added.out, HasSubstr("10.0.0.2/24"));
    EXPECT_EQ(sysctl("ipv4/conf/all/log_martians"), "1");
    if (version() >= "0.4.0") {
        EXPECT_EQ(call({.verb = "CHECK", .keys = keys, .version = version()}).out, "");
    }
    EXPECT_EQ(call({.verb = "DEL", .keys = keys, .version = version()}).status, 0);
    EXPECT_EQ(sysctl("ipv4/conf/all/log_martians"), before);
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_P(Tuning, SetsPromiscFromTheConfiguration)
{
    live_through(R"("promisc": true)", [](const Link &now) { EXPECT_TRUE(now.promisc()); });
}

TEST_P(Tuning, SetsPromiscFromArgs)
{
    live_through(R"("args": {"cni": {"promisc": true}})",
                 [](const Link &now) { EXPECT_TRUE(now.promisc()); });
}

TEST_P(Tuning, SetsTheMtuFromTheConfiguration)
{
    live_through(R"("mtu": 1454)", [](const Link &now) { EXPECT_EQ(now.mtu, 1454u); });
}

TEST_P(Tuning, SetsTheMtuFromArgs)
{
    live_through(R"("mtu": 1454, "args": {"cni": {"mtu": 1460}})",
                 [](const Link &now) { EXPECT_EQ(now.mtu, 1460u); });
}

TEST_P(Tuning, SetsTheQueueLengthFromTheConfiguration)
{
    live_through(R"("txQLen": 20000)",
                 [](const Link &now) { EXPECT_EQ(now.tx_queue_len, 20000u); });
}

TEST_P(Tuning, SetsTheQueueLengthFromArgs)
{
    live_through(R"("args": {"cni": {"txQLen": 0}})",
                 [](const Link &now) { EXPECT_EQ(now.tx_queue_len, 0u); });
}

TEST_P(Tuning, SetsTheMacFromTheConfiguration)
{
    live_through(R"("mac": "c2:11:22:33:44:55")",
                 [](const Link &now) { EXPECT_EQ(mac_of(now), kMac); });
}

TEST_P(Tuning, SetsTheMacFromArgs)
{
    live_through(R"("mac": "c2:11:22:33:44:66", "args": {"cni": {"mac": "c2:11:22:33:44:55"}})",
                 [](const Link &now) { EXPECT_EQ(mac_of(now), kMac); });
}

TEST_P(Tuning, SetsTheMacFromCniArgs)
{
    live_through(R"("mac": "c2:11:22:33:44:66")",
                 [](const Link &now) { EXPECT_EQ(mac_of(now), kMac); },
                 "IgnoreUnknown=1;K8S_POD_NAME=p;MAC=c2:11:22:33:44:55");
}

TEST_P(Tuning, SetsTheMacFromRuntimeConfig)
{
    live_through(R"("mac": "c2:11:22:33:44:66", "runtimeConfig": {"mac": "c2:11:22:33:44:55"})",
                 [](const Link &now) { EXPECT_EQ(mac_of(now), kMac); }, "MAC=c2:11:22:33:44:77");
}

TEST_P(Tuning, SetsEverythingAtOnce)
{
    live_through(
        R"("mac": "c2:11:22:33:44:55", "promisc": true, "mtu": 4000, "txQLen": 20000,
           "allmulti": true, "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"})",
        [this](const Link &now) {
            EXPECT_EQ(mac_of(now), kMac);
            EXPECT_TRUE(now.promisc() && now.allmulti());
            EXPECT_EQ(now.mtu, 4000u);
            EXPECT_EQ(now.tx_queue_len, 20000u);
            EXPECT_EQ(sysctl("ipv4/conf/eth0/arp_filter"), "1");
        });
    EXPECT_EQ(sysctl("ipv4/conf/eth0/arp_filter"), "0");
}

TEST_P(Tuning, SetsAllmultiFromTheConfiguration)
{
    live_through(R"("allmulti": true)", [](const Link &now) { EXPECT_TRUE(now.allmulti()); });
}

TEST_P(Tuning, SetsAllmultiFromArgs)
{
    live_through(R"("allmulti": false, "args": {"cni": {"allmulti": true}})",
                 [](const Link &now) { EXPECT_TRUE(now.allmulti()); });
}

TEST_P(Tuning, TakesAllmultiAwayWhenAskedTo)
{
    pod_->ip({"link", "set", "eth0", "allmulticast", "on"});

    live_through(R"("allmulti": false)", [](const Link &now) { EXPECT_FALSE(now.allmulti()); });
}

TEST_P(Tuning, RefusesADuplicateSysctl)
{
    const PluginOutcome added = call({.verb = "ADD",
                                      .keys = R"("sysctl": {"net.ipv4.conf.all.log_martians": "1",
                                    "net.ipv4.conf.all.log_martians": "0"})",
                                      .version = version()});

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("\"msg\": \"duplicated sysctl keys are not allowed\""));
    EXPECT_THAT(added.out, HasSubstr("\"code\": 999"));
    EXPECT_EQ(sysctl("ipv4/conf/all/log_martians"), "0");
}

TEST_P(Tuning, RefusesASlashInTheInterfaceName)
{
    const PluginOutcome added =
        call({.verb = "ADD", .keys = R"("mtu": 1400)", .version = version(), .ifname = "et/h0"});

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("\"code\": 4"));
}

TEST_F(TuningInNetns, AllowlistForbids)
{
    const PluginOutcome added =
        add_with_allowlist("^net\\.ipv4\\.conf\\.IFNAME\\.[a-z]*_redirects$\n\n  ^net.core  \n",
                           R"("sysctl": {"net.ipv4.conf.IFNAME.log_martians": "1"})");

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out,
                HasSubstr(R"(Sysctl net.ipv4.conf.IFNAME.log_martians is not allowed. Only the )"
                          R"(following sysctls are allowed: [^net\\.ipv4\\.conf\\.IFNAME\\.)"
                          R"([a-z]*_redirects$ ^net.core])"));
    EXPECT_EQ(sysctl("ipv4/conf/eth0/log_martians"), "0");
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, AllowlistPermitsTheKeyAsWritten)
{
    const PluginOutcome added =
        add_with_allowlist("^net\\.ipv4\\.conf\\.IFNAME\\.[a-z]*_redirects$\n",
                           R"("sysctl": {"net.ipv4.conf.IFNAME.accept_redirects": "0"})");

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_EQ(sysctl("ipv4/conf/eth0/accept_redirects"), "0");
}

TEST_F(TuningInNetns, AllowlistThatIsEmptyAllowsNothingButNoSysctls)
{
    EXPECT_EQ(add_with_allowlist("", R"("sysctl": {"net.core.somaxconn": "5"})").status, 1);
    EXPECT_EQ(add_with_allowlist("", R"("mtu": 1400)").status, 0);
}

TEST_F(TuningInNetns, AllowlistWithABadExpressionIsAnError)
{
    const PluginOutcome added =
        add_with_allowlist("(?i)NET\n", R"("sysctl": {"net.core.somaxconn": "5"})");

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("error parsing regexp: "));
}

TEST_F(TuningInNetns, GivesTheMacInTheResultAsItIsSpelled)
{
    const PluginOutcome added = add(R"("mac": "C2-11-22-33-44-55")");

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_THAT(added.out, HasSubstr("\"mac\": \"C2-11-22-33-44-55\""));
    EXPECT_THAT(added.out, Not(HasSubstr("0a:00:00:00:00:01")));
    EXPECT_EQ(mac_of(eth0()), kMac);
    EXPECT_EQ(check(R"("mac": "C2-11-22-33-44-55")").out, "");
    EXPECT_EQ(check(R"("mac": "c211.2233.4455")").out, "");
}

TEST_F(TuningInNetns, RequiresAPreviousResult)
{
    for (const char *verb : {"ADD", "CHECK"}) {
        const PluginOutcome outcome = call({.verb = verb, .keys = "", .previous_result = false});
        EXPECT_EQ(outcome.status, 1) << verb;
        EXPECT_THAT(outcome.out, HasSubstr("\"msg\": \"Required prevResult missing\"")) << verb;
    }
    EXPECT_EQ(call({.verb = "DEL", .keys = "", .previous_result = false}).status, 0);
}

TEST_F(TuningInNetns, RefusesAPreviousResultOfAnotherFamily)
{
    const PluginOutcome added =
        call({.verb = "ADD",
              .keys = R"("mtu": 1400, "prevResult": {"cniVersion": "0.4.0"})",
              .previous_result = false});

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("could not parse prevResult: "));
    EXPECT_EQ(eth0().mtu, 1500u);
}

TEST_F(TuningInNetns, NamesTheLinkThatIsNotThere)
{
    EXPECT_THAT(call({.verb = "ADD", .keys = R"("mtu": 1400)", .ifname = "eth7"}).out,
                HasSubstr(R"("msg": "failed to get \"eth7\": Link not found")"));
    EXPECT_THAT(call({.verb = "CHECK", .keys = "", .ifname = "eth7"}).out,
                HasSubstr(R"("msg": "Cannot find container link eth7")"));
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, NamesTheNamespaceThatIsNotThere)
{
    for (const char *verb : {"ADD", "CHECK"})
        EXPECT_THAT(call({.verb = verb, .keys = R"("mtu": 1400)", .netns = "/run/netns/gone"}).out,
                    HasSubstr(R"(failed to Statfs \"/run/netns/gone\": no such file or directory)"))
            << verb;
}

TEST_F(TuningInNetns, HandsOnTheKernelsRefusals)
{
    const std::pair<const char *, const char *> cases[] = {
        {R"("mtu": 1)", R"("msg": "invalid argument")"},
        {R"("mtu": -1)", R"("msg": "invalid argument")"},
        {R"("mac": "ff:ff:ff:ff:ff:ff")", R"("msg": "cannot assign requested address")"},
        {R"("mac": "x")",
         R"("msg": "invalid args x for MAC addr: address x: invalid MAC address")"},
        {R"("sysctl": {"net.ipv4.nothing": "1"})",
         R"("msg": "open /proc/sys/net/ipv4/nothing: no such file or directory")"},
        {R"("sysctl": {"net.ipv4.ip_default_ttl": "x"})",
         R"("msg": "write /proc/sys/net/ipv4/ip_default_ttl: invalid argument")"},
        {R"("sysctl": {"kernel.hostname": "x"})",
         R"("msg": "invalid net sysctl key: \"kernel/hostname\"")"},
        {R"("mtu": "1400")", R"("msg": "failed to load netconf: json: )"},
        {R"("sysctl": {"net.core.somaxconn": 5})", R"(json: cannot unmarshal number)"},
    };
    for (const auto &[keys, message] : cases) {
        const PluginOutcome added = add(keys);
        EXPECT_EQ(added.status, 1) << keys;
        EXPECT_THAT(added.out, HasSubstr(message));
        EXPECT_THAT(added.out, HasSubstr("\"code\": 999"));
        EXPECT_TRUE(data_dir_is_empty()) << keys;
    }
}

TEST_F(TuningInNetns, ReachesAnInterfaceWithADotInItsName)
{
    pod_->ip({"link", "set", "eth0", "name", "eth0.100"});

    const PluginOutcome added = call({.verb = "ADD",
                                      .keys = R"("sysctl": {"net.ipv4.conf.IFNAME.tag": "7"})",
                                      .ifname = "eth0.100"});

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_EQ(sysctl("ipv4/conf/eth0.100/tag"), "7");
}

TEST_F(TuningInNetns, GcAndStatusSucceedAndPrintNothing)
{
    for (const char *verb : {"GC", "STATUS"}) {
        const PluginOutcome outcome = call({.verb = verb, .keys = "", .version = "1.1.0"});
        EXPECT_EQ(outcome.status, 0) << verb << outcome.out;
        EXPECT_EQ(outcome.out, "") << verb;
    }
}

}  // namespace
}  // namespace tortie
