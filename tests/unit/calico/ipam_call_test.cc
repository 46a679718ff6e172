// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_call.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calico/ipam_release.h"
#include "calico/ipam_wire.h"
#include "harness/temp_dir.h"
#include "ipam/check.h"
#include "store/local.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

store::Node node(const std::string &name)
{
    store::Node document;
    document.name = name;
    return document;
}

store::Pool pool(const std::string &name, const std::string &cidr)
{
    store::Pool document;
    document.name = name;
    document.cidr = cidr;
    return document;
}

store::Endpoint endpoint(const std::string &name, const std::string &on_node)
{
    store::Endpoint document;
    document.ns = "shop";
    document.name = name;
    document.node = on_node;
    return document;
}

ReleaseRequest release_request(const std::string &container)
{
    ReleaseRequest wanted;
    wanted.network = "net1";
    wanted.container_id = container;
    wanted.ns = "shop";
    wanted.pod = "p-" + container;
    wanted.legacy_always = true;
    return wanted;
}

// A node with the embedded datastore, and processes on it.
class IpamCallTest : public ::testing::Test {
protected:
    IpamCallTest()
    {
        site_ = {.store = "local " + (temp_ / "store.db"),
                 .node = "node-a",
                 .lock_file = temp_ / "ipam.lock",
                 .run_folder = temp_ / "run",
                 .queue_folder = temp_ / "queue",
                 .boot_file = temp_ / "boot",
                 .boot_id_file = temp_ / "boot_id",
                 .upgraded_marker = temp_ / "upgraded"};
        std::ofstream(site_.boot_id_file) << "boot-1\n";
        put(store::NodeKey{"node-a"}, node("node-a"));
        put(store::PoolKey{"v4"}, pool("v4", "10.80.0.0/16"));
        put(store::PoolKey{"v6"}, pool("v6", "fd00:80::/48"));
    }

    std::unique_ptr<store::Store> open() const { return store::open_local(temp_ / "store.db"); }

    void put(const store::Key &key, store::Document document)
    {
        store::Write write;
        write.key = key;
        write.document = std::move(document);
        const auto written = open()->commit({&write, 1}, Deadline::in(5s));
        ASSERT_TRUE(written[0].has_value()) << written[0].error().what();
    }

    static AddressRequest request(const std::string &container, bool v6 = false)
    {
        AddressRequest wanted;
        wanted.network = "net1";
        wanted.container_id = container;
        wanted.ns = "shop";
        wanted.pod = "p-" + container;
        wanted.v6 = v6;
        return wanted;
    }

    Result<Assigned> add(const AddressRequest &wanted)
    {
        const auto store = open();
        return AddressCall(site_).assign(*store, wanted, Deadline::in(20s));
    }

    Result<> del(const std::string &container)
    {
        const auto store = open();
        AddressRelease release(site_, release_request(container));
        return release.run(*store, {}, Deadline::in(20s));
    }

    template <class T>
    std::vector<store::Held<T>> all(const store::Query &query)
    {
        return store::all<T>(std::move(open()->read({&query, 1}, Deadline::in(5s)).front()))
            .value();
    }

    std::size_t allocated()
    {
        std::size_t count = 0;
        for (const auto &block : all<store::Block>(store::ListBlocks{}))
            for (const auto &index : block.document.allocations)
                count += index ? 1U : 0U;
        return count;
    }

    std::vector<ipam::Finding> findings()
    {
        auto found = open()->read(ipam::check_queries(), Deadline::in(5s));
        auto documents = ipam::documents_of(found);
        EXPECT_TRUE(documents.has_value()) << documents.error().what();
        return documents ? ipam::check(*documents) : std::vector<ipam::Finding>();
    }

    // A process that adds `container` and leaves its address, or why not, in a file.
    pid_t start_add(const std::string &container)
    {
        const pid_t pid = ::fork();
        if (pid != 0)
            return pid;
        ::close_range(3, ~0U, 0);
        const auto got = add(request(container));
        std::ofstream(temp_ / container)
            << (got ? got->addresses.at(0).ip.to_string() : "error: " + got.error().what());
        ::_exit(0);
    }

    std::string result_of(pid_t pid, const std::string &container)
    {
        ::waitpid(pid, nullptr, 0);
        std::ifstream file(temp_ / container);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::size_t waiting() const
    {
        std::size_t count = 0;
        const std::string folder = meeting_folder(site_);
        if (!std::filesystem::exists(folder))
            return 0;
        for (const auto &file : std::filesystem::directory_iterator(folder))
            count += file.path().extension() == ".request" ? 1U : 0U;
        return count;
    }

    test::TempDir temp_;
    IpamSite site_;
};

TEST_F(IpamCallTest, AddGivesAnAddressOfEachFamilyAndDelReleasesThem)
{
    const auto got = add(request("c1", true));

    ASSERT_TRUE(got.has_value()) << got.error().what();
    ASSERT_THAT(got->addresses, SizeIs(2));
    EXPECT_EQ(got->addresses[0].prefix, 26U);
    EXPECT_EQ(got->addresses[1].prefix, 122U);
    EXPECT_EQ(got->handle, "net1.c1");
    EXPECT_EQ(allocated(), 2U);
    EXPECT_TRUE(del("c1").has_value());
    EXPECT_TRUE(del("c1").has_value());
    EXPECT_EQ(allocated(), 0U);
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamCallTest, ThirtyProcessesThatWaitCostOneBlockWrite)
{
    ASSERT_TRUE(add(request("first")).has_value());
    const auto before = all<store::Block>(store::ListBlocks{}).at(0).document.sequence_number;
    std::vector<pid_t> pids;
    {
        const auto lead = CombiningQueue::open(meeting_folder(site_));
        ASSERT_TRUE(lead && lead->leads());
        for (int i = 0; i < 30; ++i)
            pids.push_back(start_add("c" + std::to_string(i)));
        const Deadline deadline = Deadline::in(20s);
        while (waiting() < 30 && !deadline.passed())
            ::usleep(1000);
        ASSERT_EQ(waiting(), 30U);
    }

    std::set<std::string> addresses;
    for (int i = 0; i < 30; ++i)
        addresses.insert(result_of(pids[static_cast<std::size_t>(i)], "c" + std::to_string(i)));

    EXPECT_THAT(addresses, SizeIs(30));
    EXPECT_THAT(addresses, ::testing::Each(::testing::StartsWith("10.80.")));
    const auto after = all<store::Block>(store::ListBlocks{}).at(0).document.sequence_number;
    EXPECT_EQ(after - before, 1);
    EXPECT_EQ(allocated(), 31U);
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamCallTest, ThirtyProcessesAtOnceAreAllServed)
{
    std::vector<pid_t> pids;
    for (int i = 0; i < 30; ++i)
        pids.push_back(start_add("c" + std::to_string(i)));
    std::set<std::string> addresses;
    for (int i = 0; i < 30; ++i)
        addresses.insert(result_of(pids[static_cast<std::size_t>(i)], "c" + std::to_string(i)));

    EXPECT_THAT(addresses, SizeIs(30));
    EXPECT_THAT(addresses, ::testing::Each(::testing::StartsWith("10.80.")));
    EXPECT_EQ(allocated(), 30U);
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamCallTest, EveryoneKilledAnywhereLeavesNothingThatDelDoesNotClean)
{
    unsigned seed = 12345;
    for (int round = 0; round < 8; ++round) {
        std::vector<pid_t> pids;
        for (int i = 0; i < 12; ++i)
            pids.push_back(start_add("c" + std::to_string(i)));
        // Some die, whoever leads among them, at points spread over the time they take.
        for (std::size_t i = 0; i < pids.size(); i += 2) {
            seed = seed * 1103515245 + 12345;
            ::usleep(seed >> 16 & 0xfff);
            ::kill(pids[i], SIGKILL);
        }
        std::set<std::string> addresses;
        std::size_t served = 0;
        for (std::size_t i = 0; i < pids.size(); ++i) {
            const std::string container = "c" + std::to_string(i);
            const std::string got = result_of(pids[i], container);
            ::unlink((temp_ / container).c_str());
            if (i % 2 == 0)
                continue;
            ASSERT_TRUE(got.starts_with("10.80.")) << container << ": " << got;
            addresses.insert(got);
            ++served;
        }
        EXPECT_THAT(addresses, SizeIs(served));
        for (std::size_t i = 0; i < pids.size(); ++i)
            ASSERT_TRUE(del("c" + std::to_string(i)).has_value());
        ASSERT_EQ(allocated(), 0U) << "round " << round;
        ASSERT_THAT(all<store::Handle>(store::ListHandles{}), IsEmpty());
        ASSERT_THAT(findings(), IsEmpty());
    }
}

TEST_F(IpamCallTest, ARequestThatADeadLeaderServedIsAnsweredByWhatItGot)
{
    // A waiter's request is taken and allocated for, then the leader dies before it answers.
    auto queue = CombiningQueue::open(meeting_folder(site_)).value();
    ASSERT_TRUE(queue.leads());
    const pid_t waiter = start_add("c1");
    std::vector<CombiningQueue::Waiting> taken;
    const Deadline deadline = Deadline::in(20s);
    while (taken.empty() && !deadline.passed())
        taken = queue.take();
    ASSERT_THAT(taken, SizeIs(1));
    auto wanted = read_request(taken[0].request).value();
    const auto store = open();
    ipam::Hint hint;
    auto found = store->read(ipam::view_queries("node-a"), Deadline::in(5s));
    const auto given = ipam::assign(*store, "node-a", ipam::view_of(found).value(), {&wanted, 1},
                                    hint, Deadline::in(5s));
    ASSERT_TRUE(given[0].has_value());
    queue.stop_leading();

    EXPECT_EQ(result_of(waiter, "c1"), given[0]->v4.addresses.at(0).ip.to_string());
    EXPECT_EQ(allocated(), 1U);
}

TEST_F(IpamCallTest, GivingBackLeavesWhatAnEarlierCallGot)
{
    ASSERT_TRUE(add(request("c1")).has_value());
    const auto second = add(request("c1"));
    ASSERT_TRUE(second.has_value());
    ASSERT_EQ(allocated(), 2U);

    give_back(*open(), site_, *second, Deadline::in(5s));

    EXPECT_EQ(allocated(), 1U);
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamCallTest, ARequestedAddressIsGivenOnce)
{
    AddressRequest wanted = request("c1");
    wanted.specific = IpAddr::parse("10.80.7.9");

    const auto got = add(wanted);
    ASSERT_TRUE(got.has_value()) << got.error().what();
    EXPECT_EQ(got->addresses.at(0).ip.to_string(), "10.80.7.9");
    EXPECT_EQ(got->addresses.at(0).prefix, 32U);
    EXPECT_FALSE(add(wanted).has_value());
    ASSERT_TRUE(del("c1").has_value());
    EXPECT_TRUE(add(wanted).has_value());
}

TEST_F(IpamCallTest, NothingWantedIsNothingDone)
{
    AddressRequest wanted = request("c1");
    wanted.v4 = false;
    const auto got = add(wanted);
    ASSERT_TRUE(got.has_value());
    EXPECT_THAT(got->addresses, IsEmpty());
    EXPECT_EQ(allocated(), 0U);
}

TEST_F(IpamCallTest, AShortageIsToldInCalicosWords)
{
    AddressRequest wanted = request("c1");
    wanted.pools4 = {"192.0.2.0/24"};
    const auto got = add(wanted);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().what(),
              "the given pool (192.0.2.0/24) does not exist, or is not enabled");
}

TEST_F(IpamCallTest, AQueuedReleaseIsMadeByTheNextCallAndNotForANewerAddress)
{
    ASSERT_TRUE(add(request("c1")).has_value());
    const AddressRelease away(site_, release_request("c1"));
    ASSERT_TRUE(away.queue_for_later({}).has_value());

    // The same container again: what it had is released first, what it gets stays.
    ASSERT_TRUE(add(request("c1")).has_value());
    EXPECT_EQ(allocated(), 1U);
    EXPECT_EQ(release_waiting(*open(), site_, 10, {}, Deadline::in(5s)), 0U);
    EXPECT_EQ(allocated(), 1U);

    ASSERT_TRUE(away.queue_for_later({}).has_value());
    EXPECT_EQ(release_waiting(*open(), site_, 10, {}, Deadline::in(5s)), 1U);
    EXPECT_EQ(allocated(), 0U);
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamCallTest, AQueuedReleaseSparesWhatAnotherProgramAddedSince)
{
    ASSERT_TRUE(add(request("c1")).has_value());
    const AddressRelease away(site_, release_request("c1"));
    ASSERT_TRUE(away.queue_for_later({}).has_value());
    IpamSite other = site_;
    other.queue_folder = temp_ / "elsewhere";  // a program that knows no queue
    ASSERT_TRUE(AddressCall(other).assign(*open(), request("c1"), Deadline::in(5s)).has_value());
    ASSERT_EQ(allocated(), 2U);

    EXPECT_EQ(release_waiting(*open(), site_, 10, {}, Deadline::in(5s)), 1U);

    EXPECT_EQ(allocated(), 1U);
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamCallTest, GarbageCollectionSparesValidContainersAndOtherNetworks)
{
    for (const char *container : {"c1", "c2", "c3"})
        ASSERT_TRUE(add(request(container)).has_value());
    AddressRequest other = request("c9");
    other.network = "net1.other";
    ASSERT_TRUE(add(other).has_value());

    const std::vector<std::string> valid = {"c2"};
    const auto released = collect_garbage(*open(), site_, "net1", valid, Deadline::in(5s));

    ASSERT_TRUE(released.has_value());
    ASSERT_EQ(released->size(), 2U);
    EXPECT_EQ(released->front().container_id, "c1");
    EXPECT_EQ(released->back().container_id, "c3");
    EXPECT_EQ(released->back().pod, request("c3").pod);
    EXPECT_EQ(allocated(), 2U);
}

TEST_F(IpamCallTest, AfterARebootTheAddressesOfBeforeAreFree)
{
    ASSERT_TRUE(add(request("c1")).has_value());
    ASSERT_TRUE(add(request("c2")).has_value());
    put(store::EndpointKey{"shop", "gone"}, endpoint("gone", "node-a"));
    put(store::EndpointKey{"shop", "other"}, endpoint("other", "node-b"));
    std::ofstream(site_.boot_id_file) << "boot-2\n";

    ASSERT_TRUE(add(request("c3")).has_value());

    EXPECT_EQ(allocated(), 1U);
    EXPECT_THAT(all<store::Endpoint>(store::ListEndpoints{}), SizeIs(1));
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(IpamCallTest, WithoutARecordedBootNothingIsReleased)
{
    ASSERT_TRUE(add(request("c1")).has_value());
    std::filesystem::remove(site_.boot_file);
    std::ofstream(site_.boot_id_file) << "boot-2\n";
    ASSERT_TRUE(add(request("c2")).has_value());
    EXPECT_EQ(allocated(), 2U);
}

}  // namespace
}  // namespace tortie::calico
