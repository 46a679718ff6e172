// SPDX-License-Identifier: Apache-2.0
#include "cni/skel.h"

#include <map>

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

std::string seen_netns;  // what the handlers below were given
int calls = 0;

Answer remember(const Request &request)
{
    ++calls;
    seen_netns = request.netns;
    return request.command == "ADD" ? "result" : "";
}

Answer break_down(const Request &request)
{
    if (request.network == "busy")
        return tl::make_unexpected(CniError(Error(ErrorKind::kTryAgain, "lock is held")));
    if (request.network == "throw")
        throw std::runtime_error("library");  // as a library of ours might
    return tl::make_unexpected(CniError(Error(ErrorKind::kNotFound, "no such thing")));
}

constexpr Plugin kPlugin = {.name = "test",
                            .add = remember,
                            .del = remember,
                            .check = break_down,
                            .gc = nullptr,
                            .status = nullptr};

class Skel : public ::testing::Test {
protected:
    Skel() { calls = 0; }

    Outcome call(const std::string &command, const std::string &config)
    {
        env_["CNI_COMMAND"] = command;
        return dispatch(kPlugin, {.get_env = [this](const char *name) -> const char * {
                                      const auto it = env_.find(name);
                                      return it == env_.end() ? nullptr : it->second.c_str();
                                  },
                                  .read_stdin = [&]() -> Result<std::string> { return config; }});
    }

    std::string failure(const std::string &command, const std::string &config)
    {
        const Outcome outcome = call(command, config);
        EXPECT_EQ(outcome.status, outcome.failure ? 1 : 0);
        if (!outcome.failure)
            return "";
        EXPECT_EQ(outcome.out, outcome.failure->to_json());
        return std::to_string(static_cast<unsigned>(outcome.failure->code)) + ' ' +
               outcome.failure->msg;
    }

    std::map<std::string, std::string> env_ = {{"CNI_CONTAINERID", "c1"},
                                               {"CNI_NETNS", "/no/such/namespace"},
                                               {"CNI_IFNAME", "eth0"},
                                               {"CNI_PATH", "/bin"}};
};

constexpr const char *kConfig = R"({"cniVersion": "1.1.0", "name": "net"})";

TEST_F(Skel, RunsTheVerbAndPrintsItsResult)
{
    const Outcome outcome = call("ADD", kConfig);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out, "result");
    EXPECT_EQ(seen_netns, "/no/such/namespace");
}

TEST_F(Skel, WithoutACommandSaysWhatItIsOnStderrAndSucceeds)
{
    const Outcome outcome = call("", "not json");
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find("CNI test plugin v"), std::string::npos);
    EXPECT_NE(outcome.err.find("CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, "
                               "0.4.0, 1.0.0, 1.1.0\n"),
              std::string::npos);
}

TEST_F(Skel, VersionReadsNoStdin)
{
    env_ = {};
    EXPECT_EQ(call("VERSION", "not json").status, 0);
}

TEST_F(Skel, JudgesTheConfigurationBeforeTheVerb)
{
    EXPECT_EQ(failure("NONSENSE", "{").substr(0, 33), "6 error unmarshall network config");
    EXPECT_EQ(failure("NONSENSE", "{}"), "7 missing network name");
    EXPECT_EQ(failure("ADD", " null\n"), "7 missing network name");
    EXPECT_EQ(failure("NONSENSE", R"({"name": "a/b"})"),
              "7 invalid characters found in network name");
    EXPECT_EQ(failure("NONSENSE", R"({"name": 7})").substr(0, 33),
              "6 error unmarshall network config");
    EXPECT_EQ(failure("NONSENSE", kConfig), "4 unknown CNI_COMMAND: NONSENSE");
    EXPECT_EQ(failure("add", kConfig), "4 unknown CNI_COMMAND: add");
}

TEST_F(Skel, AnEmptyVersionIsTheOldest)
{
    EXPECT_EQ(failure("ADD", R"({"name": "net"})"), "");
    EXPECT_EQ(failure("CHECK", R"({"name": "net"})"), "1 config version does not allow CHECK");
}

TEST_F(Skel, VerbsAPluginDoesNotHaveSucceedSilently)
{
    EXPECT_EQ(failure("GC", kConfig), "");
    EXPECT_EQ(failure("STATUS", kConfig), "");
    EXPECT_EQ(call("GC", kConfig).out, "");
}

TEST_F(Skel, FailuresOfThePluginAre999AndABusyLockIs11)
{
    EXPECT_EQ(failure("CHECK", kConfig), "999 no such thing");
    EXPECT_EQ(failure("CHECK", R"({"cniVersion": "1.1.0", "name": "busy"})"), "11 lock is held");
}

TEST_F(Skel, WhatALibraryThrowsIsAnAnswerToo)
{
    EXPECT_EQ(failure("CHECK", R"({"cniVersion": "1.1.0", "name": "throw"})"),
              "999 internal error: library");
}

TEST_F(Skel, AddInOurOwnNamespaceIsRefusedBeforeAnyWork)
{
    env_["CNI_NETNS"] = "/proc/self/ns/net";
    EXPECT_EQ(failure("ADD", kConfig),
              "8 plugin's netns and netns from CNI_NETNS should not be the same");
    EXPECT_EQ(calls, 0);
}

TEST_F(Skel, DelInOurOwnNamespaceCleansUpWithoutTouchingIt)
{
    env_["CNI_NETNS"] = "/proc/self/ns/net";
    EXPECT_EQ(failure("DEL", kConfig),
              "8 plugin's netns and netns from CNI_NETNS should not be the same");
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(seen_netns, "");
}

TEST_F(Skel, TheOverrideAllowsOurOwnNamespace)
{
    env_["CNI_NETNS"] = "/proc/self/ns/net";
    env_["CNI_NETNS_OVERRIDE"] = "True";
    EXPECT_EQ(failure("ADD", kConfig), "");
    EXPECT_EQ(calls, 1);
}

TEST(CniError, PrintsItsKeysInTheOriginalsOrder)
{
    EXPECT_EQ(CniError(Code::kInvalidEnvironment, "m", "d").to_json(),
              "{\n    \"code\": 4,\n    \"msg\": \"m\",\n    \"details\": \"d\"\n}");
    EXPECT_EQ(CniError(Code::kUnspecified, "m").to_json(),
              "{\n    \"code\": 999,\n    \"msg\": \"m\"\n}");
}

}  // namespace
}  // namespace tortie::cni
