// SPDX-License-Identifier: Apache-2.0
#include "calico/azure_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/temp_dir.h"

namespace tortie::calico {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(AzureRecords, AreEmptyForWhatIsNotKnown)
{
    const test::TempDir folder;
    const AzureRecords records(folder.path());

    EXPECT_THAT(records.subnets("net1").value(), IsEmpty());
    EXPECT_THAT(records.addresses("net1", "c1", "eth0").value(), IsEmpty());
    EXPECT_TRUE(records.remove_endpoint("net1", "c1", "eth0"));
}

TEST(AzureRecords, AreStoredInCalicosForm)
{
    const test::TempDir folder;
    const AzureRecords records(folder.path());

    ASSERT_TRUE(records.store_network("net1", {"10.0.0.0/16"}));
    ASSERT_TRUE(records.store_endpoint("net1", "c1", "eth0", {"10.0.0.7/16"}));

    EXPECT_EQ(read_file(folder / "net1/network.json", 1000).value(),
              R"({"Name":"net1","Subnets":["10.0.0.0/16"]})");
    EXPECT_EQ(
        read_file(folder / "net1/c1-eth0", 1000).value(),
        R"({"Network":"net1","ContainerID":"c1","Interface":"eth0","Addresses":["10.0.0.7/16"]})");
    EXPECT_THAT(records.subnets("net1").value(), ElementsAre("10.0.0.0/16"));
    EXPECT_THAT(records.addresses("net1", "c1", "eth0").value(), ElementsAre("10.0.0.7/16"));
}

TEST(AzureRecords, ForgetAnEndpoint)
{
    const test::TempDir folder;
    const AzureRecords records(folder.path());
    ASSERT_TRUE(records.store_endpoint("net1", "c1", "eth0", {"10.0.0.7/16"}));

    ASSERT_TRUE(records.remove_endpoint("net1", "c1", "eth0"));

    EXPECT_THAT(records.addresses("net1", "c1", "eth0").value(), IsEmpty());
}

TEST(AzureRecords, NameTheFileThatCannotBeRead)
{
    const test::TempDir folder;
    ASSERT_TRUE(make_directories(folder / "net1", 0755));
    ASSERT_TRUE(replace_file(folder / "net1/network.json", "{", 0600));

    const auto broken = AzureRecords(folder.path()).subnets("net1");

    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().what(),
              "read " + folder.path() + "/net1/network.json: unexpected end of JSON input");
}

}  // namespace
}  // namespace tortie::calico
