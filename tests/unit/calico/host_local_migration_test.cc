// SPDX-License-Identifier: Apache-2.0
#include "calico/host_local_migration.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/memory_store.h"
#include "harness/temp_dir.h"
#include "ipam/owner_attributes.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MigrationTest : public ::testing::Test {
protected:
    MigrationTest()
    {
        site_.node = "node-a";
        place_.folder = temp_ / "networks";
        place_.programs = {temp_ / "calico", temp_ / "host-local"};
        place_.settle = 0ms;
        store::Node node;
        node.name = "node-a";
        node.pod_cidrs = {"10.80.3.0/24"};
        store_.put(store::NodeKey{"node-a"}, node);
        store::Pool pool;
        pool.name = "v4";
        pool.cidr = "10.80.0.0/16";
        store_.put(store::PoolKey{"v4"}, pool);
        store::ClusterInformation information;
        information.datastore_ready = true;
        store_.put(store::ClusterInformationKey{}, information);
        std::filesystem::create_directory(place_.folder);
        for (const std::string &program : place_.programs)
            std::ofstream(program) << "program";
        file("lock", "");
        file("last_reserved_ip.0", "10.80.3.7");
    }

    void file(const std::string &name, const std::string &text) const
    {
        std::ofstream(place_.folder + '/' + name) << text;
    }

    void pod(const std::string &name, const std::string &ip)
    {
        kube::Pod pod;
        pod.meta.ns = "shop";
        pod.meta.name = name;
        pod.node_name = "node-a";
        pod.pod_ip = ip;
        store_.put(store::PodKey{"shop", name}, pod);
    }

    Result<std::size_t> migrate() { return migrate_host_local(store_, site_, place_, 5s); }

    std::optional<bool> ready() const
    {
        return store_.peek<store::ClusterInformation>(store::ClusterInformationKey{})
            ->datastore_ready;
    }

    test::TempDir temp_;
    test::MemoryStore store_;
    IpamSite site_;
    HostLocalPlace place_;
};

TEST_F(MigrationTest, PodsKeepTheirAddressesAndTheFolderGoes)
{
    file("10.80.3.5", "c1\r\neth0");
    file("10.80.3.6", "c2");  // of no pod
    pod("cart", "10.80.3.5");

    const auto moved = migrate();

    ASSERT_TRUE(moved.has_value()) << moved.error().what();
    EXPECT_EQ(*moved, 1U);
    const auto held = ipam::addresses_of_handle(store_, "k8s-pod-network.c1", Deadline::in(1s));
    ASSERT_TRUE(held.has_value());
    ASSERT_THAT(*held, SizeIs(1));
    EXPECT_EQ(held->front().ip.to_string(), "10.80.3.5");
    EXPECT_EQ(held->front().active->at("pod"), "cart");
    EXPECT_FALSE(ipam::addresses_of_handle(store_, "k8s-pod-network.c2", Deadline::in(1s)));
    const auto tunnel =
        ipam::addresses_of_handle(store_, "ipip-tunnel-addr-node-a", Deadline::in(1s));
    ASSERT_TRUE(tunnel.has_value());
    EXPECT_EQ(tunnel->front().ip.to_string(), "10.80.3.1");
    EXPECT_EQ(store_.peek<store::Node>(store::NodeKey{"node-a"})
                  ->annotations.at("projectcalico.org/IPv4IPIPTunnelAddr"),
              "10.80.3.1");
    EXPECT_FALSE(std::filesystem::exists(place_.folder));
    EXPECT_FALSE(std::filesystem::exists(place_.programs[0]));
    EXPECT_EQ(ready(), true);
    EXPECT_EQ(migrate().value(), 0U);
}

TEST_F(MigrationTest, GoesOnWhereItWasKilled)
{
    file("10.80.3.5", "c1");
    file("10.80.3.6", "c2");
    pod("cart", "10.80.3.5");
    pod("desk", "10.80.3.6");
    for (std::size_t request = 1; request < 60; ++request) {
        store_.forget_counts();
        store_.fail_request(request, test::MemoryStore::Fault::kRefused);
        if (migrate())
            break;
    }
    store_.forget_counts();

    ASSERT_TRUE(migrate().has_value());
    for (const char *handle : {"k8s-pod-network.c1", "k8s-pod-network.c2"})
        EXPECT_TRUE(ipam::addresses_of_handle(store_, handle, Deadline::in(1s)).has_value());
    EXPECT_FALSE(std::filesystem::exists(place_.folder));
    EXPECT_EQ(ready(), true);
}

TEST_F(MigrationTest, AnAddressOutsideOfThePoolsStaysWhereItIs)
{
    file("192.0.2.5", "c1");
    pod("cart", "192.0.2.5");
    EXPECT_FALSE(migrate().has_value());
    EXPECT_TRUE(std::filesystem::exists(place_.folder + "/192.0.2.5"));
    EXPECT_EQ(ready(), true);
}

TEST_F(MigrationTest, ANodeWithoutTheFolderHasNothingToMove)
{
    std::filesystem::remove_all(place_.folder);
    EXPECT_EQ(migrate().value(), 0U);
    EXPECT_EQ(store_.requests(), 0U);
}

}  // namespace
}  // namespace tortie::calico
