// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/memory_store.h"
#include "ipam/allocator.h"
#include "ipam/view.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Endpoints are pods, as in a cluster.
class IpamRepair : public ::testing::Test {
protected:
    IpamRepair()
    {
        store::Node node;
        node.name = "node-a";
        store_.put(store::NodeKey{"node-a"}, node);
        store::Pool pool;
        pool.name = "v4";
        pool.cidr = "10.80.0.0/29";
        pool.block_size = 29;
        store_.put(store::PoolKey{"v4"}, pool);
    }

    void allocate(const std::string &pod)
    {
        ipam::Request request;
        request.handle = "net1." + pod;
        request.attributes = {{"node", "node-a"}, {"namespace", "shop"}, {"pod", pod}};
        request.num4 = 1;
        auto found = store_.read(ipam::view_queries("node-a"), soon());
        ipam::Hint hint;
        const auto assigned = ipam::assign(store_, "node-a", ipam::view_of(found).value(),
                                           {&request, 1}, hint, soon());
        ASSERT_TRUE(assigned.front()) << assigned.front().error().what();
    }

    void pod(const std::string &name, const std::string &ip, const std::string &phase = "Running")
    {
        kube::Pod pod;
        pod.meta.ns = "shop";
        pod.meta.name = name;
        pod.node_name = "node-a";
        pod.phase = phase;
        pod.meta.annotations = {{"cni.projectcalico.org/podIPs", ip}};
        store_.put(store::PodKey{"shop", name}, pod);
    }

    std::vector<std::string> findings()
    {
        const auto found = check_store(store_, {.by_endpoints = true}, soon()).value();
        std::vector<std::string> texts;
        texts.reserve(found.size());
        for (const auto &each : found)
            texts.push_back(std::string(ipam::name_of(each.problem)) + ' ' + each.object);
        return texts;
    }

    static Deadline soon() { return Deadline::in(10s); }

    test::MemoryStore store_;
};

TEST_F(IpamRepair, TakesAPodsWordForItsAddress)
{
    allocate("cart");
    allocate("done");
    pod("cart", "10.80.0.0/32");
    pod("done", "10.80.0.1/32", "Succeeded");  // its sandbox is still there

    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamRepair, FindsTheAddressOfAPodThatIsGoneOrWasToldToGiveItUp)
{
    allocate("gone");
    allocate("given-up");
    pod("given-up", "");

    EXPECT_THAT(findings(), ::testing::UnorderedElementsAre("address-not-used 10.80.0.0",
                                                            "address-not-used 10.80.0.1"));
}

}  // namespace
}  // namespace tortie::calico
