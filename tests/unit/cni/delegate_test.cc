// SPDX-License-Identifier: Apache-2.0
#include "cni/delegate.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::cni {
namespace {

// A folder with a plugin in it that is a shell script.
class Delegate : public ::testing::Test {
protected:
    Delegate()
    {
        request_.path = "/nowhere:" + folder_;
        request_.stdin_text = R"({"name":"net"})";
    }

    void write_plugin(const std::string &script)
    {
        std::ofstream(folder_ + "/ipam") << "#!/bin/sh\n" << script;
        std::filesystem::permissions(folder_ + "/ipam", std::filesystem::perms(0755));
    }

    Answer call() { return delegate("ipam", "ADD", request_, {"CNI_COMMAND=DEL", "X=y"}); }

    test::TempDir temp_;
    const std::string folder_ = temp_.path();
    Request request_;
};

TEST_F(Delegate, PassesTheConfigurationAndTheEnvironmentWithTheVerbReplaced)
{
    write_plugin("cat; echo \" $CNI_COMMAND $X\"\n");
    EXPECT_EQ(call().value(), "{\"name\":\"net\"} ADD y\n");
}

TEST_F(Delegate, HandsOnTheErrorObjectOfThePlugin)
{
    write_plugin("echo '{\"code\": 11, \"msg\": \"busy\", \"details\": \"d\"}'; exit 1\n");
    const CniError error = call().error();
    EXPECT_EQ(error.code, Code::kTryAgainLater);
    EXPECT_EQ(error.msg, "busy");
    EXPECT_EQ(error.details, "d");
}

TEST_F(Delegate, TellsOfPluginsThatFailWithoutAnErrorObject)
{
    write_plugin("exit 3\n");
    EXPECT_EQ(call().error().msg, "netplugin failed with no error message: exit status 3");
    write_plugin("echo panic >&2; exit 2\n");
    EXPECT_EQ(call().error().msg, "netplugin failed: \"panic\n\"");
    write_plugin("echo oops; exit 1\n");
    EXPECT_EQ(call().error().msg,
              "netplugin failed but error parsing its diagnostic message \"oops\n\"");
}

TEST_F(Delegate, NamesWhereItLookedForAPlugin)
{
    EXPECT_EQ(call().error().msg,
              "failed to find plugin \"ipam\" in path [/nowhere " + folder_ + "]");
}

TEST(FindPlugin, RefusesNamesThatLeaveTheFolder)
{
    for (const char *type : {"../sh", "/bin/sh", "a/b", "..", ".", ""})
        EXPECT_EQ(find_plugin(type, "/bin").error().kind(), ErrorKind::kInvalidInput) << type;
    EXPECT_TRUE(find_plugin("sh", "relative::/bin").has_value());
    EXPECT_EQ(find_plugin("sh", "relative").error().kind(), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace tortie::cni
