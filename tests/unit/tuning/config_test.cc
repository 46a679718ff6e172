// SPDX-License-Identifier: Apache-2.0
#include "tuning/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::tuning {
namespace {

using cni::Json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

Result<Config> parse(const char *json, std::string_view args = "")
{
    return parse_config(Json::parse_object(json).value(), args);
}

std::string parse_refusal(const char *json, std::string_view args = "")
{
    const auto config = parse(json, args);
    return config ? "accepted" : config.error().what();
}

std::string wanted_refusal(const Config &config)
{
    const auto wanted = wanted_settings(config, "eth0");
    return wanted ? "accepted" : wanted.error().what();
}

TEST(TuningConfig, ReadsEveryKey)
{
    const Config config = parse(R"({"sysctl": {"net.core.somaxconn": "500"}, "mac": "0A-0B",
        "promisc": true, "mtu": 1454, "allmulti": false, "txQLen": 0, "dataDir": "/d"})")
                              .value();

    EXPECT_THAT(config.sysctls, ElementsAre(Pair("net.core.somaxconn", "500")));
    EXPECT_EQ(config.mac, "0A-0B");
    EXPECT_TRUE(config.promisc);
    EXPECT_EQ(config.mtu, 1454);
    EXPECT_EQ(config.allmulti, false);
    EXPECT_EQ(config.tx_queue_len, 0);
    EXPECT_EQ(config.data_dir, "/d");
}

TEST(TuningConfig, WantsNothingByDefault)
{
    const Config config = parse("{}").value();

    EXPECT_EQ(config.data_dir, "/run/cni/tuning");
    EXPECT_TRUE(wanted_settings(config, "eth0").value().empty());
}

TEST(TuningConfig, LeavesAloneOnFalseZeroAndEmptyButForAllmultiAndQueueLength)
{
    const Config config =
        parse(R"({"promisc": false, "mtu": 0, "mac": "", "allmulti": false, "txQLen": 0})").value();

    const Settings wanted = wanted_settings(config, "eth0").value();

    EXPECT_FALSE(wanted.promisc || wanted.mtu || wanted.mac);
    EXPECT_EQ(wanted.allmulti, false);
    EXPECT_EQ(wanted.tx_queue_len, 0u);
}

TEST(TuningConfig, TakesTheMacFromTheLastSourceThatHasOne)
{
    const char *file = R"({"mac": "file"})";
    const char *runtime = R"({"mac": "file", "runtimeConfig": {"mac": "runtime"}})";
    const char *args = R"({"mac": "file", "runtimeConfig": {"mac": "runtime"},
                           "args": {"cni": {"mac": "args"}}})";

    EXPECT_EQ(parse(file)->mac, "file");
    EXPECT_EQ(parse(file, "MAC=env")->mac, "env");
    EXPECT_EQ(parse(runtime, "MAC=env")->mac, "runtime");
    EXPECT_EQ(parse(args, "MAC=env")->mac, "args");
    EXPECT_EQ(parse(R"({"mac": "file", "runtimeConfig": {"mac": ""}})", "MAC=")->mac, "file");
    EXPECT_EQ(parse(R"({"mac": "file", "args": {"cni": {"mac": ""}}})")->mac, "");
}

TEST(TuningConfig, LetsArgsReplaceEveryKeyAndMergesSysctls)
{
    const Config config = parse(R"({"sysctl": {"a": "1", "b": "1"}, "promisc": true, "mtu": 1000,
        "allmulti": true, "txQLen": 1,
        "args": {"cni": {"sysctl": {"b": "2", "c": "2"}, "promisc": false, "mtu": 2000,
                         "allmulti": false, "txQLen": 2}}})")
                              .value();

    EXPECT_THAT(config.sysctls, ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", "2")));
    EXPECT_FALSE(config.promisc);
    EXPECT_EQ(config.mtu, 2000);
    EXPECT_EQ(config.allmulti, false);
    EXPECT_EQ(config.tx_queue_len, 2);
}

// The Go plugin panics.
TEST(TuningConfig, TakesSysctlsFromArgsAlone)
{
    const Config config = parse(R"({"args": {"cni": {"sysctl": {"net.core.x": "1"}}}})").value();

    EXPECT_THAT(config.sysctls, ElementsAre(Pair("net.core.x", "1")));
}

TEST(TuningConfig, TakesNullForAbsent)
{
    EXPECT_EQ(parse_refusal(R"({"sysctl": null, "mac": null, "promisc": null, "mtu": null,
        "allmulti": null, "txQLen": null, "dataDir": null, "runtimeConfig": null, "args": null})"),
              "accepted");
    EXPECT_EQ(parse_refusal(R"({"args": {"cni": null}})"), "accepted");
}

TEST(TuningConfig, RefusesWrongTypes)
{
    for (const char *json :
         {R"({"sysctl": []})", R"({"sysctl": {"a": 1}})", R"({"mac": 1})", R"({"promisc": "yes"})",
          R"({"mtu": "1500"})", R"({"mtu": 1500.5})", R"({"allmulti": 1})", R"({"txQLen": true})",
          R"({"dataDir": {}})", R"({"runtimeConfig": []})", R"({"runtimeConfig": {"mac": 1}})",
          R"({"args": "x"})", R"({"args": {"cni": {"mtu": "1"}}})"})
        EXPECT_THAT(parse_refusal(json), StartsWith("failed to load netconf: json: ")) << json;
}

TEST(TuningConfig, RefusesCniArgsItDoesNotKnowUnlessToldOtherwise)
{
    EXPECT_THAT(parse_refusal("{}", "MAC=x;K8S_POD_NAME=p"), HasSubstr("ARGS: unknown args"));
    EXPECT_EQ(parse_refusal("{}", "IgnoreUnknown=1;MAC=x;K8S_POD_NAME=p"), "accepted");
    EXPECT_THAT(parse_refusal("{}", "MAC"), HasSubstr("ARGS: invalid pair \"MAC\""));
}

TEST(TuningConfig, FindsTheDataDirectoryOfAConfigurationThatIsOtherwiseWrong)
{
    EXPECT_EQ(data_dir_of(Json::parse_object(R"({"mtu": "x", "dataDir": "/d"})").value()), "/d");
    EXPECT_EQ(data_dir_of(Json::parse_object(R"({"dataDir": 5})").value()), "/run/cni/tuning");
    EXPECT_EQ(data_dir_of(Json::parse_object(R"({"dataDir": ""})").value()), "/run/cni/tuning");
}

TEST(TuningConfig, RefusesWhatTheKernelCouldNotEvenBeGiven)
{
    Config config;
    config.mac = "0g:00:00:00:00:00";
    EXPECT_EQ(wanted_refusal(config),
              "invalid args 0g:00:00:00:00:00 for MAC addr: address 0g:00:00:00:00:00: "
              "invalid MAC address");
    config = {};
    config.mtu = -1;
    EXPECT_EQ(wanted_refusal(config), "invalid argument");
    config.mtu = std::int64_t{1} << 32 | 1500;  // Go cuts it to 1500
    EXPECT_EQ(wanted_refusal(config), "invalid argument");
    config = {};
    config.tx_queue_len = -1;
    EXPECT_EQ(wanted_refusal(config), "invalid argument");
    config = {};
    config.sysctls = {{"kernel.hostname", "x"}};
    EXPECT_EQ(wanted_refusal(config), "invalid net sysctl key: \"kernel/hostname\"");
}

}  // namespace
}  // namespace tortie::tuning
