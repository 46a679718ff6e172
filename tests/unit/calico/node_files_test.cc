// SPDX-License-Identifier: Apache-2.0
#include "calico/node_files.h"

#include <sys/utsname.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/temp_dir.h"

namespace tortie::calico {
namespace {

TEST(NodeName, ComesFromTheFirstSourceThatHasOne)
{
    const test::TempDir folder;
    const std::string file = folder / "nodename";
    ASSERT_TRUE(replace_file(file, "from-file\n", 0644));  // Q2: the newline is no part of it

    EXPECT_EQ(node_name({.nodename = "configured", .nodename_file = file, .hostname = "old"}),
              "configured");
    EXPECT_EQ(node_name({.nodename = "", .nodename_file = file, .hostname = "old"}), "from-file");
    EXPECT_EQ(node_name({.nodename = "", .nodename_file = folder / "none", .hostname = "old"}),
              "old");
}

TEST(NodeName, IsTheHostNameInLowerCaseAtLast)
{
    const test::TempDir folder;
    const std::string name =
        node_name({.nodename = "", .nodename_file = folder / "none", .hostname = ""});

    EXPECT_FALSE(name.empty());
    EXPECT_EQ(name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ \n"), std::string::npos);
}

TEST(NodenameFile, IsMissedInUpstreamsWordsAsSomethingThatPasses)
{
    const auto missing = require_nodename_file("/nonexistent/nodename");

    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(missing.error().what(),
              "stat /nonexistent/nodename: no such file or directory: check that the calico/node "
              "container is running and has mounted /var/lib/calico/");
}

TEST(MtuFile, IsReadWhenItIsThere)
{
    const test::TempDir folder;
    ASSERT_TRUE(replace_file(folder / "mtu", "1450", 0644));
    EXPECT_EQ(read_mtu_file(folder / "mtu", true).value(), 1450);
    ASSERT_TRUE(replace_file(folder / "mtu", " 8951\n", 0644));
    EXPECT_EQ(read_mtu_file(folder / "mtu", true).value(), 8951);
}

TEST(MtuFile, MayBeMissingUnlessItIsRequired)
{
    EXPECT_EQ(read_mtu_file("/nonexistent/mtu", false).value(), std::nullopt);
    const auto required = read_mtu_file("/nonexistent/mtu", true);
    ASSERT_FALSE(required);
    EXPECT_EQ(required.error().kind(), ErrorKind::kTryAgain);
    EXPECT_TRUE(required.error().what().starts_with("failed to read MTU file: "));
}

TEST(MtuFile, IsAnErrorWhenItIsADirectoryOrNonsense)
{
    const test::TempDir folder;
    EXPECT_TRUE(read_mtu_file(folder.path(), false)
                    .error()
                    .what()
                    .starts_with("failed to read MTU file: "));
    ASSERT_TRUE(replace_file(folder / "mtu", "many", 0644));
    EXPECT_EQ(read_mtu_file(folder / "mtu", false).error().what(),
              "failed to read MTU file: strconv.Atoi: parsing \"many\": invalid syntax");
}

}  // namespace
}  // namespace tortie::calico
