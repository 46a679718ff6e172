// SPDX-License-Identifier: Apache-2.0
//
// host-local beside the Go plugin it replaces: the same answers and files, byte for byte, and
// both over one directory. The peer lies in the directory TORTIE_GO_PLUGINS, else in Debian's
// package containernetworking-plugins.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/host_local_fixture.h"

namespace tortie {
namespace {

using test::PluginOutcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string peer()
{
    const char *directory =
        std::getenv("TORTIE_GO_PLUGINS");  // NOLINT(concurrency-mt-unsafe): one thread
    return std::string(directory != nullptr ? directory : "/usr/lib/cni") + "/host-local";
}

class HostLocalAndPeer : public HostLocal {
protected:
    void SetUp() override
    {
        if (::access(peer().c_str(), X_OK) != 0)
            GTEST_SKIP() << "no Go plugin at " << peer() << " (TORTIE_GO_PLUGINS)";
    }
    PluginOutcome peer_run(const std::string &command, const std::string &id,
                           const std::string &config) const
    {
        return run_program(peer(), command, id, config);
    }
};

const std::string kConfig =
    "{'cniVersion':'1.0.0','name':'net','ipam':{'type':'host-local','dataDir':'$D',"
    "'ranges':[[{'subnet':'10.1.2.0/24'}],[{'subnet':'2001:db8:1::/64'}]]}}";

TEST_F(HostLocalAndPeer, TakeTurnsInOneDirectory)
{
    EXPECT_THAT(addresses(add("c1", kConfig)), ElementsAre("10.1.2.2/24", "2001:db8:1::2/64"));
    EXPECT_THAT(addresses(peer_run("ADD", "c2", kConfig)),
                ElementsAre("10.1.2.3/24", "2001:db8:1::3/64"));
    EXPECT_THAT(addresses(add("c3", kConfig)), ElementsAre("10.1.2.4/24", "2001:db8:1::4/64"));
    EXPECT_THAT(addresses(peer_run("ADD", "c4", kConfig)),
                ElementsAre("10.1.2.5/24", "2001:db8:1::5/64"));

    EXPECT_THAT(error_of(add("c2", kConfig)), HasSubstr("duplicate allocation is not allowed"));
    EXPECT_THAT(error_of(peer_run("ADD", "c1", kConfig)),
                HasSubstr("duplicate allocation is not allowed"));
    EXPECT_EQ(run("CHECK", "c4", kConfig).status, 0);
    EXPECT_EQ(peer_run("CHECK", "c3", kConfig).status, 0);

    EXPECT_EQ(del("c2", kConfig).status, 0);
    EXPECT_EQ(peer_run("DEL", "c1", kConfig).status, 0);
    EXPECT_EQ(del("c4", kConfig).status, 0);
    EXPECT_EQ(run("CHECK", "c3", kConfig).status, 0);
    EXPECT_EQ(peer_run("DEL", "c3", kConfig).status, 0);
    EXPECT_THAT(reserved(), IsEmpty());
}

TEST_F(HostLocalAndPeer, GiveNoAddressTwiceWhenTheyRunAtOnce)
{
    std::vector<PluginOutcome> outcomes(24);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        threads.emplace_back([&, i] {
            outcomes[i] =
                run_program(i % 2 == 0 ? ours() : peer(), "ADD", "c" + std::to_string(i), kConfig);
        });
    }
    for (std::thread &thread : threads)
        thread.join();

    std::set<std::string> given;
    for (const PluginOutcome &outcome : outcomes) {
        for (const std::string &address : addresses(outcome))
            given.insert(address);
    }
    EXPECT_EQ(given.size(), 48U);
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        EXPECT_EQ(del("c" + std::to_string(i), kConfig).status, 0);
    EXPECT_THAT(reserved(), IsEmpty());
}

struct Step {
    std::string command;
    std::string id;
    std::string inside;  // of ipam
    std::string outside;
    std::string args;
};

struct Scenario {
    std::string name;
    std::vector<Step> steps;
};

const std::string kTwoFamilies =
    "'ranges':[[{'subnet':'10.1.2.0/29'},{'subnet':'10.1.4.0/29','gateway':'10.1.4.6'}],"
    "[{'subnet':'2001:db8:1::/64','rangeStart':'2001:db8:1::100'}]]";
const std::string kRoutes =
    ",'routes':[{'dst':'0.0.0.0/0'},{'dst':'10.0.0.0/8','gw':'10.1.2.1'},{'dst':'::/"
    "0','gw':'fd00::1'}]";
const std::string kSmall = "'subnet':'10.1.2.0/30'";
const std::string kOneRequest = "'args':{'cni':{'ips':['10.1.2.5']}},";

const std::vector<Scenario> kScenarios = {
    {"Life",
     {{"ADD", "c1", kTwoFamilies + kRoutes, "", ""},
      {"ADD", "c1", kTwoFamilies + kRoutes, "", ""},
      {"ADD", "c2", kTwoFamilies, "", ""},
      {"CHECK", "c2", kTwoFamilies, "", ""},
      {"DEL", "c1", kTwoFamilies, "", ""},
      {"CHECK", "c1", kTwoFamilies, "", ""},
      {"ADD", "c3", kTwoFamilies, "", ""},
      {"DEL", "c1", kTwoFamilies, "", ""}}},
    {"Exhaustion",
     {{"ADD", "c1", kSmall, "", ""},
      {"ADD", "c2", kSmall, "", ""},
      {"DEL", "c1", kSmall, "", ""},
      {"ADD", "c2", kSmall, "", ""}}},
    {"WrapsRound",
     {{"ADD", "c1", "'subnet':'10.1.2.0/29'", "", "IP=10.1.2.6"},
      {"ADD", "c2", "'subnet':'10.1.2.0/29'", "", ""},
      {"ADD", "c3", "'subnet':'10.1.2.0/29','rangeEnd':'10.1.2.3'", "", ""},
      {"ADD", "c4", "'subnet':'10.1.2.0/29','rangeEnd':'10.1.2.3'", "", ""}}},
    {"Requests",
     {{"ADD", "c1", kTwoFamilies, kOneRequest, ""},
      {"ADD", "c2", kTwoFamilies, kOneRequest, ""},
      {"ADD", "c3", kTwoFamilies, "", "IP=10.1.4.6"},
      {"ADD", "c5", kTwoFamilies, "", "IP=nonsense"},
      {"ADD", "c6", kTwoFamilies, "", "IgnoreUnknown=1;K8S_POD_NAME=x"},
      {"ADD", "c7", kTwoFamilies, "'runtimeConfig':{'ips':['']},", ""}}},
    {"RuntimeRanges",
     {{"ADD", "c1", kSmall,
       "'runtimeConfig':{'ipRanges':[[{'subnet':'fd00::/120','gateway':'fd00::fe'}]]},", ""}}},
    {"Refusals",
     {{"ADD", "c1", "'subnet':'10.1.2.0/31'", "", ""},
      {"ADD", "c1", "'subnet':'10.1.2.1/24'", "", ""},
      {"ADD", "c1", "'subnet':'10.1.2.0/24','rangeStart':'10.1.3.0'", "", ""},
      {"ADD", "c1", "'subnet':'10.1.2.0/24','rangeEnd':'10.1.3.0'", "", ""},
      {"ADD", "c1", "'ranges':[[]]", "", ""},
      {"ADD", "c1", "'routes':[]", "", ""},
      {"ADD", "c1", "'subnet':'10.1.2'", "", ""},
      {"ADD", "c1", "'subnet':'10.1.2.0/24','gateway':'10.1'", "", ""},
      {"ADD", "c1", "'subnet':'10.1.0.0/16','ranges':[[{'subnet':'10.1.5.0/24'}]]", "", ""},
      {"ADD", "c1", kSmall + ",'resolvConf':'/nowhere'", "", ""},
      {"CHECK", "c1", "'routes':[]", "", ""}}},
};

class HostLocalLikePeer : public HostLocalAndPeer,
                          public testing::WithParamInterface<std::tuple<const char *, Scenario>> {
protected:
    // Every file below the network's directory and its content. Not its mode: reservations are
    // 0600 since 1.9, 0644 in Debian's 1.1.1.
    std::map<std::string, std::string> files() const
    {
        std::map<std::string, std::string> all;
        if (!std::filesystem::exists(temp_ / "net"))
            return all;
        for (const auto &entry : std::filesystem::directory_iterator(temp_ / "net")) {
            const std::string name = entry.path().filename();
            all[name] = content(name);
        }
        return all;
    }

    struct Record {
        std::vector<std::string> answers;
        std::map<std::string, std::string> files;
    };

    Record record(const std::string &binary) const
    {
        const auto &[version, scenario] = GetParam();
        std::filesystem::remove_all(temp_ / "net");
        Record record;
        for (const Step &step : scenario.steps) {
            const std::string config =
                std::string("{'cniVersion':'") + version + "','name':'net'," + step.outside +
                "'ipam':{'type':'host-local','dataDir':'$D'," + step.inside + "}}";
            const PluginOutcome outcome =
                run_program(binary, step.command, step.id, config, "eth0", step.args);
            record.answers.push_back(step.command + ' ' + step.id + ": " +
                                     std::to_string(outcome.status) + ' ' + outcome.out);
            record.files = files();
        }
        return record;
    }
};

// Not among the scenarios: an ADD that fails after it has reserved something. Upstream's pointers
// have moved then, ours have not.
//
// A configuration error keeps the Go plugin from making the directory and us too; a CHECK without
// any ADD makes it there and not here, so that no scenario begins with one.
TEST_P(HostLocalLikePeer, AnswersAndWritesTheSame)
{
    // Versions as a list in quotes; the first one is of the answer itself.
    const std::string spoken = run_program(peer(), "VERSION", "c", "{}").out.substr(24);
    const std::string version = std::get<0>(GetParam());
    if (spoken.find('"' + version + '"') == std::string::npos)
        GTEST_SKIP() << peer() << " does not speak " << version;
    if (version == "1.0.0" && spoken.find("\"1.1.0\"") == std::string::npos)
        GTEST_SKIP() << peer() << " still prints an empty dns in 1.0.0";

    const Record expected = record(peer());
    const Record actual = record(ours());

    EXPECT_EQ(actual.answers, expected.answers);
    EXPECT_EQ(actual.files, expected.files);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, HostLocalLikePeer,
                         testing::Combine(testing::Values("0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                          "0.4.0", "1.0.0", "1.1.0"),
                                          testing::ValuesIn(kScenarios)),
                         [](const auto &param_info) {
                             std::string name = std::get<1>(param_info.param).name + "V" +
                                                std::get<0>(param_info.param);
                             std::replace(name.begin(), name.end(), '.', '_');
                             return name;
                         });

}  // namespace
}  // namespace tortie
