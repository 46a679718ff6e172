// SPDX-License-Identifier: Apache-2.0
//
// portmap over the protocol, as far as it needs no network: which error comes first, with which
// words, and what is handed on.
#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plugin_call.h"

namespace tortie {
namespace {

using test::PluginOutcome;
using testing::HasSubstr;

constexpr const char *kOnePort =
    R"("runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]})";

PluginOutcome run(const std::string &verb, const std::string &keys,
                  const std::string &version = "1.0.0")
{
    return test::run_plugin({.binary = test::plugin_path("portmap"),
                             .env = test::cni_env(verb, "cont1"),
                             .input = R"({"cniVersion": ")" + version +
                                      R"(", "name": "pmnet", "type": "portmap")" +
                                      (keys.empty() ? "" : ", " + keys) + "}",
                             .arguments = {}});
}

std::string error(const std::string &msg)
{
    return "{\n    \"code\": 999,\n    \"msg\": \"" + msg + "\"\n}";
}

TEST(PortmapCli, AddWithoutPrevResultFails)
{
    const PluginOutcome outcome = run("ADD", kOnePort);

    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, error("must be called as chained plugin"));
}

TEST(PortmapCli, CheckWithoutPrevResultFails)
{
    const PluginOutcome outcome = run("CHECK", kOnePort);

    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, error("Required prevResult missing"));
}

TEST(PortmapCli, ConfigurationErrorsArePrefixedInAddAndNotInCheck)
{
    const std::string bad = R"("markMasqBit": 77)";

    EXPECT_EQ(run("ADD", bad).out,
              error("failed to parse config: MasqMarkBit must be between 0 and 31"));
    EXPECT_EQ(run("CHECK", bad).out, error("MasqMarkBit must be between 0 and 31"));
}

TEST(PortmapCli, BadPrevResultIsReportedWithItsPrefixTwice)
{
    const PluginOutcome outcome = run("ADD", R"("prevResult": {"cniVersion": "0.4.0", "ips": []})");

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("failed to parse config: could not parse prevResult: "
                                       "could not parse prevResult: "));
}

TEST(PortmapCli, AnEmptyBackendIsNotAnAbsentOne)
{
    EXPECT_THAT(run("ADD", R"("backend": "")").out,
                HasSubstr(R"(failed to parse config: unrecognized backend \"\")"));
}

TEST(PortmapCli, StatusIsReadyForTheDefaultBackend)
{
    const PluginOutcome outcome = run("STATUS", "", "1.1.0");

    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_EQ(outcome.out, "");
}

TEST(PortmapCli, StatusRefusesWhatAddWouldRefuse)
{
    EXPECT_EQ(run("STATUS", R"("backend": "ipfw")", "1.1.0").status, 1);
}

TEST(PortmapCli, GcWithoutAListOfAttachmentsDoesNothing)
{
    const PluginOutcome outcome = run("GC", "", "1.1.0");

    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_EQ(outcome.out, "");
}

class PortmapCliOfVersion : public testing::TestWithParam<const char *> {};

INSTANTIATE_TEST_SUITE_P(, PortmapCliOfVersion,
                         testing::Values("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"),
                         [](const auto &test) {
                             std::string name = test.param;
                             std::replace(name.begin(), name.end(), '.', '_');
                             return name;
                         });

TEST_P(PortmapCliOfVersion, WithoutMappingsHandsThePreviousResultOn)
{
    const std::string version = GetParam();
    const std::string family = version[0] == '0' ? R"("version": "4", )" : "";

    const PluginOutcome outcome =
        run("ADD",
            R"("prevResult": {"cniVersion": ")" + version +
                R"(", "interfaces": [{"name": "eth0", "sandbox": "/x"}], "ips": [{)" + family +
                R"("address": "10.66.0.2/24", "interface": 0}]})",
            version);

    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_THAT(outcome.out, HasSubstr("\"cniVersion\": \"" + version + "\""));
    EXPECT_THAT(outcome.out, HasSubstr("\"address\": \"10.66.0.2/24\""));
    EXPECT_EQ(outcome.out.find("\"version\": \"4\"") != std::string::npos, version[0] == '0');
}

}  // namespace
}  // namespace tortie
