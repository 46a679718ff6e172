// SPDX-License-Identifier: Apache-2.0
//
// The numbers are those of spec calico-ipam-datastore.md 5.2.
#include "calico/vm_persistence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calico/ipam_call.h"
#include "calico/ipam_release.h"
#include "harness/memory_store.h"
#include "harness/temp_dir.h"
#include "ipam/owner_attributes.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char *kHandle = "net1.vmi.shop.vm-a";

class VmTest : public ::testing::Test {
protected:
    VmTest()
    {
        site_.store = "memory";
        site_.node = "node-a";
        site_.lock_file = temp_ / "ipam.lock";
        site_.run_folder = temp_ / "run";
        site_.queue_folder = temp_ / "queue";
        site_.upgraded_marker = temp_ / "upgraded";
        store::Node node;
        node.name = "node-a";
        store_.put(store::NodeKey{"node-a"}, node);
        put_pool("v4", "10.80.0.0/16");
        put_pool("v6", "fd00:80::/48");
        put_vmi("uid-1", false);
        put_vm(false);
        put_pod("virt-launcher-vm-a-1");
    }

    void put_pool(const std::string &name, const std::string &cidr)
    {
        store::Pool pool;
        pool.name = name;
        pool.cidr = cidr;
        store_.put(store::PoolKey{name}, pool);
    }

    static kube::OwnerReference owner(const char *kind, const char *name, const std::string &uid)
    {
        return {.api_version = "kubevirt.io/v1",
                .kind = kind,
                .name = name,
                .uid = uid,
                .controller = true};
    }

    void put_vmi(const std::string &uid, bool going, bool owned = true)
    {
        kube::VirtualMachine vmi;
        vmi.meta.ns = "shop";
        vmi.meta.name = "vm-a";
        vmi.meta.uid = uid;
        vmi.meta.deletion_timestamp = going ? "2026-08-22T10:11:12Z" : "";
        if (owned)
            vmi.owners = {owner("VirtualMachine", "vm-a", "vm-uid")};
        vmi_uid_ = uid;
        store_.put(store::VmiKey{"shop", "vm-a"}, vmi);
    }

    void put_vm(bool going)
    {
        kube::VirtualMachine vm;
        vm.meta.ns = "shop";
        vm.meta.name = "vm-a";
        vm.meta.uid = "vm-uid";
        vm.meta.deletion_timestamp = going ? "2026-08-22T10:11:12Z" : "";
        store_.put(store::VmKey{"shop", "vm-a"}, vm);
    }

    void put_pod(const std::string &name, const std::string &migration = "")
    {
        kube::Pod pod;
        pod.meta.ns = "shop";
        pod.meta.name = name;
        pod.owners = {owner("VirtualMachineInstance", "vm-a", vmi_uid_)};
        if (!migration.empty())
            pod.meta.labels["kubevirt.io/migrationJobUID"] = migration;
        store_.put(store::PodKey{"shop", name}, pod);
    }

    void turn_persistence_off()
    {
        store::IpamConfig config;
        config.persist_vm_addresses = false;
        store_.put(store::IpamConfigKey{}, config);
    }

    Result<Assigned> add(const std::string &pod, const std::string &container)
    {
        AddressRequest request;
        request.network = "net1";
        request.container_id = container;
        request.ns = "shop";
        request.pod = pod;
        request.v6 = true;
        return AddressCall(site_).assign(store_, request, Deadline::in(5s));
    }

    Result<> del(const std::string &pod, const std::string &container)
    {
        ReleaseRequest request;
        request.network = "net1";
        request.container_id = container;
        request.ns = "shop";
        request.pod = pod;
        request.legacy_always = true;
        return AddressRelease(site_, request).run(store_, {}, Deadline::in(5s));
    }

    static std::vector<std::string> ips(const Assigned &assigned)
    {
        std::vector<std::string> all;
        for (const ipam::Address &address : assigned.addresses)
            all.push_back(address.ip.to_string());
        return all;
    }

    std::vector<ipam::OwnedAddress> held()
    {
        return ipam::addresses_of_handle(store_, kHandle, Deadline::in(5s))
            .value_or(std::vector<ipam::OwnedAddress>());
    }

    static std::string value(const std::optional<store::StringMap> &map, const char *key)
    {
        return map && map->contains(key) ? map->at(key) : "";
    }

    static bool nobody(const std::optional<store::StringMap> &map) { return !map || map->empty(); }

    std::size_t allocated() const
    {
        std::size_t count = 0;
        for (const auto &block : store_.peek_all<store::Block>())
            for (const auto &index : block.allocations)
                count += index ? 1U : 0U;
        return count;
    }

    test::TempDir temp_;
    IpamSite site_;
    test::MemoryStore store_;
    std::string vmi_uid_;
};

TEST_F(VmTest, N19TheNextPodOfAMachineGetsItsAddressesAndOwnsThem)
{
    const auto first = add("virt-launcher-vm-a-1", "c1");
    ASSERT_TRUE(first.has_value()) << first.error().what();
    ASSERT_THAT(first->addresses, SizeIs(2));
    EXPECT_EQ(first->handle, kHandle);
    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());
    put_pod("virt-launcher-vm-a-2");

    const auto second = add("virt-launcher-vm-a-2", "c2");

    ASSERT_TRUE(second.has_value()) << second.error().what();
    EXPECT_EQ(ips(*second), ips(*first));
    EXPECT_EQ(second->addresses[0].prefix, 32U);
    EXPECT_EQ(second->addresses[1].prefix, 128U);
    EXPECT_TRUE(second->host_routes);
    for (const auto &address : held())
        EXPECT_EQ(value(address.active, "pod"), "virt-launcher-vm-a-2");
}

TEST_F(VmTest, N20AMigrationHasTwoOwnersUntilEachIsGone)
{
    const auto source = add("virt-launcher-vm-a-1", "c1");
    ASSERT_TRUE(source.has_value());
    put_pod("virt-launcher-vm-a-2", "job-1");

    const auto target = add("virt-launcher-vm-a-2", "c2");

    ASSERT_TRUE(target.has_value()) << target.error().what();
    EXPECT_EQ(ips(*target), ips(*source));
    EXPECT_FALSE(target->host_routes);
    EXPECT_TRUE(target->kept);
    for (const auto &address : held()) {
        EXPECT_EQ(value(address.active, "pod"), "virt-launcher-vm-a-1");
        EXPECT_EQ(value(address.alternate, "pod"), "virt-launcher-vm-a-2");
        EXPECT_EQ(value(address.alternate, "vmim-uid"), "job-1");
    }

    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());
    for (const auto &address : held()) {
        EXPECT_TRUE(nobody(address.active));
        EXPECT_FALSE(nobody(address.alternate));
    }
    ASSERT_TRUE(del("virt-launcher-vm-a-2", "c2").has_value());
    ASSERT_THAT(held(), SizeIs(2));
    for (const auto &address : held())
        EXPECT_TRUE(nobody(address.alternate));
}

TEST_F(VmTest, N21AnInstanceOfTheSameNameKeepsTheAddresses)
{
    const auto first = add("virt-launcher-vm-a-1", "c1");
    ASSERT_TRUE(first.has_value());
    put_vmi("uid-2", false);
    put_pod("virt-launcher-vm-a-2");

    const auto second = add("virt-launcher-vm-a-2", "c2");

    ASSERT_TRUE(second.has_value()) << second.error().what();
    EXPECT_EQ(ips(*second), ips(*first));
    for (const auto &address : held())
        EXPECT_EQ(value(address.active, "vmi-uid"), "uid-2");
}

TEST_F(VmTest, N22N23TheAddressesStayWhileTheMachineStays)
{
    ASSERT_TRUE(add("virt-launcher-vm-a-1", "c1").has_value());
    put_vmi("uid-1", true);  // the instance goes, its machine does not

    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());
    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());

    ASSERT_THAT(held(), SizeIs(2));
    for (const auto &address : held())
        EXPECT_TRUE(nobody(address.active));
}

TEST_F(VmTest, N24ADeletedMachineGivesItsAddressesBackOnceAndForAll)
{
    ASSERT_TRUE(add("virt-launcher-vm-a-1", "c1").has_value());
    put_vm(true);

    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());

    EXPECT_EQ(allocated(), 0U);
    EXPECT_THAT(store_.peek_all<store::Handle>(), IsEmpty());
    EXPECT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());  // upstream fails here
}

TEST_F(VmTest, N25N26TheLastOwnerOfADeletedMachineReleases)
{
    for (const bool source_first : {true, false}) {
        put_vm(false);
        ASSERT_TRUE(add("virt-launcher-vm-a-1", "c1").has_value());
        put_pod("virt-launcher-vm-a-2", "job-1");
        ASSERT_TRUE(add("virt-launcher-vm-a-2", "c2").has_value());
        put_vm(true);

        const auto order = source_first ? std::pair("1", "2") : std::pair("2", "1");
        ASSERT_TRUE(
            del(std::string("virt-launcher-vm-a-") + order.first, std::string("c") + order.first)
                .has_value());
        EXPECT_THAT(held(), SizeIs(2));
        ASSERT_TRUE(
            del(std::string("virt-launcher-vm-a-") + order.second, std::string("c") + order.second)
                .has_value());
        EXPECT_EQ(allocated(), 0U);
    }
}

TEST_F(VmTest, N27WithoutItsPodDelClearsTheOwnerAndReleasesTheContainer)
{
    ASSERT_TRUE(add("virt-launcher-vm-a-1", "c1").has_value());
    store_.remove(store::PodKey{"shop", "virt-launcher-vm-a-1"});

    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());
    ASSERT_THAT(held(), SizeIs(2));
    for (const auto &address : held())
        EXPECT_TRUE(nobody(address.active));

    // An ordinary pod of such a name: upstream leaks its address.
    turn_persistence_off();
    put_pod("virt-launcher-vm-a-9");
    ASSERT_TRUE(add("virt-launcher-vm-a-9", "c9").has_value());
    ASSERT_EQ(allocated(), 4U);
    store_.remove(store::PodKey{"shop", "virt-launcher-vm-a-9"});
    ASSERT_TRUE(del("virt-launcher-vm-a-9", "c9").has_value());
    EXPECT_EQ(allocated(), 2U);
}

TEST_F(VmTest, N28AnInstanceThatStandsAloneReleasesWhenItGoes)
{
    put_vmi("uid-1", false, false);
    ASSERT_TRUE(add("virt-launcher-vm-a-1", "c1").has_value());
    put_vmi("uid-1", true, false);
    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());
    EXPECT_EQ(allocated(), 0U);
}

TEST_F(VmTest, N29AddNeedsTheInstanceAndDelDoesNot)
{
    ASSERT_TRUE(add("virt-launcher-vm-a-1", "c1").has_value());
    store_.remove(store::VmiKey{"shop", "vm-a"});
    store_.remove(store::VmKey{"shop", "vm-a"});

    const auto again = add("virt-launcher-vm-a-1", "c2");
    ASSERT_FALSE(again.has_value());
    EXPECT_THAT(again.error().what(), HasSubstr("failed to get VMI info"));
    EXPECT_EQ(add("virt-launcher-gone", "c3").error().what(),
              "failed to get VMI info: pod not found");

    ASSERT_TRUE(del("virt-launcher-vm-a-1", "c1").has_value());
    EXPECT_EQ(allocated(), 0U);
}

TEST_F(VmTest, N30N31WithoutPersistencePodsAreOrdinaryAndMigrationsRefused)
{
    turn_persistence_off();
    put_pod("virt-launcher-vm-a-2", "job-1");

    EXPECT_EQ(add("virt-launcher-vm-a-2", "c2").error().what(),
              "live migration target pod is not allowed when KubeVirtVMAddressPersistence is "
              "disabled");
    const auto first = add("virt-launcher-vm-a-1", "c1");
    put_pod("virt-launcher-vm-a-3");
    const auto second = add("virt-launcher-vm-a-3", "c3");
    ASSERT_TRUE(first && second);
    EXPECT_NE(ips(*first), ips(*second));
    EXPECT_EQ(first->handle, "net1.c1");
    EXPECT_THAT(held(), IsEmpty());
}

TEST_F(VmTest, AMigrationTargetNeedsAddressesThatAreThere)
{
    put_pod("virt-launcher-vm-a-2", "job-1");
    EXPECT_EQ(add("virt-launcher-vm-a-2", "c2").error().what(),
              std::string("migration target pod but no IP allocated to VM handle ") + kHandle);
}

TEST_F(VmTest, APodOfSuchANameThatIsNoMachineIsOrdinary)
{
    kube::Pod pod;
    pod.meta.ns = "shop";
    pod.meta.name = "virt-launcher-fake";
    store_.put(store::PodKey{"shop", "virt-launcher-fake"}, pod);
    const auto got = add("virt-launcher-fake", "c1");
    ASSERT_TRUE(got.has_value()) << got.error().what();
    EXPECT_EQ(got->handle, "net1.c1");
    EXPECT_TRUE(del("virt-launcher-fake", "c1").has_value());
    EXPECT_EQ(allocated(), 0U);
}

}  // namespace
}  // namespace tortie::calico
