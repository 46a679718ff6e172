// SPDX-License-Identifier: Apache-2.0
//
// The loopback executable in a namespace of its own, over the protocol.
#include <linux/netlink.h>

#include <algorithm>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/netns.h"
#include "harness/plugin_call.h"
#include "sys/link.h"

namespace tortie {
namespace {

using test::PluginOutcome;
using testing::HasSubstr;

constexpr const char *kConfig10 = R"({"cniVersion": "1.0.0", "name": "test", "type": "loopback"})";

std::string without_blanks(std::string text)
{
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
    return text;
}

std::string config_of(const std::string &version)
{
    return R"({"cniVersion": ")" + version + R"(", "name": "test", "type": "loopback"})";
}

class Loopback : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        pod_.emplace();
    }

    PluginOutcome call(const std::string &verb, const std::string &config,
                       const std::string &netns) const
    {
        return test::run_plugin({.binary = test::plugin_path("loopback"),
                                 .env = test::cni_env(verb, "some-container", "eth0", netns),
                                 .input = config,
                                 .arguments = {}});
    }
    PluginOutcome call(const std::string &verb, const std::string &config) const
    {
        return call(verb, config, pod_->path());
    }

    bool lo_is_up() const
    {
        return pod_->inside([] {
            NetlinkSocket socket = NetlinkSocket::open(NETLINK_ROUTE).value();
            return find_link(socket, "lo").value().up();
        });
    }

    std::optional<test::Netns> pod_;
};

class LoopbackOfVersion : public Loopback, public testing::WithParamInterface<const char *> {};

INSTANTIATE_TEST_SUITE_P(, LoopbackOfVersion,
                         testing::Values("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0",
                                         "1.1.0"),
                         [](const auto &test) {
                             std::string name = test.param;
                             std::replace(name.begin(), name.end(), '.', '_');
                             return name;
                         });

TEST_P(LoopbackOfVersion, AddBringsLoUp)
{
    const PluginOutcome added = call("ADD", config_of(GetParam()));

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_TRUE(lo_is_up());
}

TEST_P(LoopbackOfVersion, DelTakesLoDown)
{
    pod_->ip({"link", "set", "lo", "up"});

    const PluginOutcome deleted = call("DEL", config_of(GetParam()));

    EXPECT_EQ(deleted.status, 0) << deleted.out;
    EXPECT_EQ(deleted.out, "");
    EXPECT_FALSE(lo_is_up());
}

// Upstream prints the shape of 1.x under every old version's number.
TEST_P(LoopbackOfVersion, AddAnswersInTheShapeOfTheVersion)
{
    const std::string version = GetParam();

    const PluginOutcome added = call("ADD", config_of(version));

    std::string want;
    if (version < "0.3.0")
        want = R"({"cniVersion":")" + version +
               R"(","ip4":{"ip":"127.0.0.1/8"},"ip6":{"ip":"::1/128"},"dns":{}})";
    else if (version < "1.0.0")
        want = R"({"cniVersion":")" + version +
               R"(","interfaces":[{"name":"lo","mac":"00:00:00:00:00:00","sandbox":")" +
               pod_->path() +
               R"("}],"ips":[{"version":"4","interface":0,"address":"127.0.0.1/8"},)"
               R"({"version":"6","interface":0,"address":"::1/128"}],"dns":{}})";
    else
        want = R"({"cniVersion":")" + version +
               R"(","interfaces":[{"mac":"00:00:00:00:00:00","name":"lo","sandbox":")" +
               pod_->path() +
               R"("}],"ips":[{"address":"127.0.0.1/8","interface":0},)"
               R"({"address":"::1/128","interface":0}]})";
    EXPECT_EQ(without_blanks(added.out), want);
}

TEST_F(Loopback, AddTwiceSucceedsWithTheSameAnswer)
{
    const PluginOutcome first = call("ADD", kConfig10);
    const PluginOutcome second = call("ADD", kConfig10);

    EXPECT_EQ(second.status, 0) << second.out;
    EXPECT_EQ(second.out, first.out);
}

TEST_F(Loopback, AddWithoutAVersionAnswersAs010)
{
    const PluginOutcome added = call("ADD", R"({"name": "test"})");

    EXPECT_EQ(without_blanks(added.out), R"({"cniVersion":"0.1.0","ip4":{"ip":"127.0.0.1/8"},)"
                                         R"("ip6":{"ip":"::1/128"},"dns":{}})");
}

TEST_F(Loopback, AddWithoutIpv6AnswersWithTheIpv4AddressOnly)
{
    pod_->run({"sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1",
               "net.ipv6.conf.lo.disable_ipv6=1"});

    const PluginOutcome added = call("ADD", kConfig10);

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_THAT(added.out, HasSubstr("127.0.0.1/8"));
    EXPECT_THAT(added.out, Not(HasSubstr("::1")));
}

// containernetworking/plugins#694
TEST_F(Loopback, AddLeavesOtherAddressesOnLoAloneAndWarns)
{
    pod_->ip({"address", "add", "10.53.0.1/32", "dev", "lo"});
    pod_->ip({"address", "add", "2001:db8::53/128", "dev", "lo"});

    const PluginOutcome added = call("ADD", kConfig10);

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_THAT(added.out, HasSubstr("127.0.0.1/8"));
    EXPECT_THAT(added.out, HasSubstr("::1/128"));
    EXPECT_THAT(added.out, Not(HasSubstr("10.53")));
    EXPECT_THAT(added.err, HasSubstr("loopback interface found with non-loopback address"));
    EXPECT_THAT(added.err, HasSubstr("10.53.0.1"));
    EXPECT_THAT(pod_->ip({"address", "show", "dev", "lo"}), HasSubstr("10.53.0.1/32"));
    EXPECT_EQ(call("CHECK", kConfig10).status, 0);
}

TEST_F(Loopback, AddHandsThePreviousResultOnInTheVersionOfTheConfiguration)
{
    const PluginOutcome added = call("ADD", R"({"cniVersion": "0.3.1", "name": "test",
        "prevResult": {"cniVersion": "0.3.0", "interfaces": [{"name": "eth0", "sandbox": "/x"}],
                       "ips": [{"version": "4", "address": "10.0.0.2/24", "interface": 0}]}})");

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_EQ(without_blanks(added.out),
              R"({"cniVersion":"0.3.1","interfaces":[{"name":"eth0","sandbox":"/x"}],)"
              R"("ips":[{"version":"4","interface":0,"address":"10.0.0.2/24"}],"dns":{}})");
    EXPECT_TRUE(lo_is_up());
}

TEST_F(Loopback, AddRefusesAPreviousResultOfAnotherFamilyBeforeItActs)
{
    const PluginOutcome added = call("ADD", R"({"cniVersion": "1.0.0", "name": "test",
        "prevResult": {"cniVersion": "0.4.0", "ips": []}})");

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("failed to parse prevResult: could not parse prevResult: "));
    EXPECT_THAT(added.out, HasSubstr("\"code\": 999"));
    EXPECT_FALSE(lo_is_up());
}

TEST_F(Loopback, AddHandsAPreviousResultWithoutAddressesOnInEveryVersion)
{
    const PluginOutcome added = call("ADD", R"({"cniVersion": "0.1.0", "name": "test",
        "prevResult": {}})");

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_EQ(without_blanks(added.out), R"({"cniVersion":"0.1.0","dns":{}})");
    EXPECT_TRUE(lo_is_up());
}

TEST_F(Loopback, AddSaysThatTheNamespaceIsGone)
{
    const PluginOutcome added = call("ADD", kConfig10, "/run/netns/gone");

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr(R"(failed to Statfs \"/run/netns/gone\": )"
                                     "no such file or directory"));
    EXPECT_THAT(added.out, HasSubstr("\"code\": 999"));
}

TEST_F(Loopback, AddRefusesAPathThatIsNoNamespace)
{
    EXPECT_THAT(call("ADD", kConfig10, "/sys/kernel").out,
                HasSubstr(R"(unknown FS magic on \"/sys/kernel\": 62656572)"));
    EXPECT_THAT(call("ADD", kConfig10, "/proc/self/ns/uts").out,
                HasSubstr("Error switching to ns /proc/self/ns/uts: invalid argument"));
}

TEST_F(Loopback, DelTwiceAndWithoutNamespaceSucceeds)
{
    const std::string path = pod_->path();
    EXPECT_EQ(call("DEL", kConfig10).status, 0);
    EXPECT_EQ(call("DEL", kConfig10).status, 0);
    EXPECT_EQ(call("DEL", kConfig10, "").status, 0);

    pod_->remove();

    EXPECT_EQ(call("DEL", kConfig10, path).status, 0);
}

TEST_F(Loopback, DelReturnsOtherErrorsOfThePath)
{
    const PluginOutcome deleted = call("DEL", kConfig10, "/sys/kernel");

    EXPECT_EQ(deleted.status, 1);
    EXPECT_THAT(deleted.out, HasSubstr("unknown FS magic"));
}

TEST_F(Loopback, CheckFailsWhenLoIsDown)
{
    EXPECT_EQ(call("ADD", kConfig10).status, 0);
    EXPECT_EQ(call("CHECK", kConfig10).status, 0);

    pod_->ip({"link", "set", "lo", "down"});
    const PluginOutcome checked = call("CHECK", kConfig10);

    EXPECT_EQ(checked.status, 1);
    EXPECT_THAT(checked.out, HasSubstr("\"msg\": \"loopback interface is down\""));
}

TEST_F(Loopback, GcAndStatusSucceedAndPrintNothing)
{
    for (const char *verb : {"GC", "STATUS"}) {
        const PluginOutcome outcome = call(verb, config_of("1.1.0"));
        EXPECT_EQ(outcome.status, 0) << verb;
        EXPECT_EQ(outcome.out, "") << verb;
    }
}

// containernetworking/plugins#714: a recycled pid's namespace was the node's. The plugin is
// started inside the pod's namespace, which thereby is its own.
TEST_F(Loopback, NeverTouchesItsOwnNamespace)
{
    pod_->ip({"link", "set", "lo", "up"});

    const PluginOutcome deleted = pod_->inside([&] { return call("DEL", kConfig10); });

    EXPECT_EQ(deleted.status, 1);
    EXPECT_THAT(deleted.out, HasSubstr("\"code\": 8"));
    EXPECT_TRUE(lo_is_up());

    pod_->ip({"link", "set", "lo", "down"});
    const PluginOutcome added = pod_->inside([&] { return call("ADD", kConfig10); });

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("\"code\": 8"));
    EXPECT_FALSE(lo_is_up());
}

TEST_F(Loopback, MayTouchItsOwnNamespaceWhenItIsOverridden)
{
    auto env = test::cni_env("ADD", "some-container", "eth0", pod_->path());
    env["CNI_NETNS_OVERRIDE"] = "TRUE";

    const PluginOutcome added = pod_->inside([&] {
        return test::run_plugin({.binary = test::plugin_path("loopback"),
                                 .env = env,
                                 .input = kConfig10,
                                 .arguments = {}});
    });

    EXPECT_EQ(added.status, 0) << added.out;
    EXPECT_TRUE(lo_is_up());
}

TEST_F(Loopback, IgnoresTheInterfaceNameAndTheArgumentsButNotTheirForm)
{
    auto env = test::cni_env("ADD", "some-container", "whatever", pod_->path());
    env["CNI_ARGS"] = "nonsense;;";
    const auto add = [&] {
        return test::run_plugin({.binary = test::plugin_path("loopback"),
                                 .env = env,
                                 .input = kConfig10,
                                 .arguments = {}});
    };
    EXPECT_EQ(add().status, 0);
    EXPECT_TRUE(lo_is_up());

    for (const char *name : {"..", "a/b", "a b", "a:b", "0123456789abcdef"}) {
        env["CNI_IFNAME"] = name;
        EXPECT_THAT(add().out, HasSubstr("\"code\": 4")) << name;
    }
}

}  // namespace
}  // namespace tortie
