// SPDX-License-Identifier: Apache-2.0
//
// host-local as a runtime runs it. What upstream's suite tests over its own functions is tested
// here over the protocol, once per specification version.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_lock.h"
#include "cli/host_local_fixture.h"

namespace tortie {
namespace {

using test::PluginOutcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HostLocalOfVersion : public HostLocal, public testing::WithParamInterface<const char *> {
protected:
    std::string ipam(const std::string &inside, const std::string &outside = "") const
    {
        return std::string("{'cniVersion':'") + GetParam() +
               "','name':'net','type':'ipvlan','master':'foo0'," + outside +
               "'ipam':{'type':'host-local','dataDir':'$D'," + inside + "}}";
    }
    bool has_one_address_a_family() const { return std::string(GetParam()) < "0.3.0"; }
};

INSTANTIATE_TEST_SUITE_P(All, HostLocalOfVersion,
                         testing::Values("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0",
                                         "1.1.0"),
                         [](const auto &param_info) {
                             std::string name = param_info.param;
                             std::replace(name.begin(), name.end(), '.', '_');
                             return "V" + name;
                         });

TEST_P(HostLocalOfVersion, AllocatesAndReleasesAddressesOfBothFamilies)
{
    std::ofstream(temp_ / "resolv.conf") << "nameserver 192.0.2.3\n";
    const std::string config = ipam(
        "'resolvConf':'$D/resolv.conf',"
        "'ranges':[[{'subnet':'10.1.2.0/24'}],[{'subnet':'2001:db8:1::/64'}]],"
        "'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'},"
        "{'dst':'192.168.0.0/16','gw':'1.1.1.1'},{'dst':'2001:db8:2::/64','gw':'2001:db8:3::1'}]");

    const PluginOutcome added = add("dummy", config);

    EXPECT_THAT(addresses(added), ElementsAre("10.1.2.2/24", "2001:db8:1::2/64"));
    EXPECT_THAT(added.out, HasSubstr("\"192.0.2.3\""));
    EXPECT_THAT(added.out, HasSubstr("\"2001:db8:3::1\""));
    EXPECT_THAT(added.out, HasSubstr(std::string("\"cniVersion\": \"") + GetParam() + '"'));
    EXPECT_EQ(content("10.1.2.2"), "dummy\r\neth0");
    EXPECT_EQ(content("2001:db8:1::2"), "dummy\r\neth0");
    EXPECT_EQ(content("last_reserved_ip.0"), "10.1.2.2");
    EXPECT_EQ(content("last_reserved_ip.1"), "2001:db8:1::2");
    EXPECT_EQ(mode("10.1.2.2"), 0600U);
    EXPECT_EQ(mode("last_reserved_ip.0"), 0600U);
    EXPECT_EQ(mode("lock"), 0750U);
    EXPECT_EQ(mode(""), 0755U);
    EXPECT_THAT(added.err, testing::Not(HasSubstr("last reserved")));

    const PluginOutcome deleted = del("dummy", config);
    EXPECT_EQ(deleted.status, 0) << deleted.out;
    EXPECT_EQ(deleted.out, "");
    EXPECT_THAT(reserved(), IsEmpty());
    EXPECT_EQ(content("last_reserved_ip.0"), "10.1.2.2");
    EXPECT_EQ(del("dummy", config).status, 0);
}

TEST_P(HostLocalOfVersion, KeepsNetworksAndInterfacesApart)
{
    const auto of_network = [&](const std::string &name) {
        return std::string("{'cniVersion':'") + GetParam() + "','name':'" + name +
               "','ipam':{'type':'host-local','dataDir':'$D','ranges':[[{'subnet':'10.1.2.0/"
               "24'}]]}}";
    };
    EXPECT_THAT(addresses(add("dummy", of_network("net"), "eth0")), ElementsAre("10.1.2.2/24"));
    EXPECT_THAT(addresses(add("dummy", of_network("two"), "eth1")), ElementsAre("10.1.2.2/24"));

    EXPECT_EQ(del("dummy", of_network("net"), "eth0").status, 0);

    EXPECT_THAT(reserved("net"), IsEmpty());
    EXPECT_EQ(content("10.1.2.2", "two"), "dummy\r\neth1");
    EXPECT_EQ(content("last_reserved_ip.0", "net"), "10.1.2.2");
}

TEST_P(HostLocalOfVersion, RefusesARepeatedAddAndGivesAnotherContainerTheNextAddress)
{
    const std::string config = ipam("'ranges':[[{'subnet':'10.1.2.0/24'}]]");
    EXPECT_THAT(addresses(add("dummy", config)), ElementsAre("10.1.2.2/24"));

    EXPECT_EQ(error_of(add("dummy", config)),
              "failed to allocate for range 0: 10.1.2.2 has been allocated to dummy, duplicate "
              "allocation is not allowed");
    EXPECT_THAT(addresses(add("dummy1", config)), ElementsAre("10.1.2.3/24"));
    EXPECT_THAT(addresses(add("dummy", config, "eth1")), ElementsAre("10.1.2.4/24"));
    EXPECT_THAT(reserved(), ElementsAre("10.1.2.2", "10.1.2.3", "10.1.2.4"));
}

TEST_P(HostLocalOfVersion, ReleasesAReservationOfTheOldFormat)
{
    const std::string config = ipam("'ranges':[[{'subnet':'10.1.2.0/24'}]]");
    write("10.1.2.2", "dummy");
    write("10.1.2.3", "dummy1");

    EXPECT_EQ(del("dummy", config).status, 0);
    EXPECT_THAT(reserved(), ElementsAre("10.1.2.3"));
}

TEST_P(HostLocalOfVersion, SucceedsToDeleteWhatItDoesNotKnow)
{
    const std::string config = ipam("'ranges':[[{'subnet':'10.1.2.0/24'}]]");

    const PluginOutcome deleted = del("dummy", config);

    EXPECT_EQ(deleted.status, 0);
    EXPECT_EQ(deleted.out, "");
    EXPECT_FALSE(std::filesystem::exists(temp_ / "net"));
}

TEST_P(HostLocalOfVersion, GivesTheAddressOfCniArgs)
{
    const std::string config = ipam("'ranges':[[{'subnet':'10.1.2.0/24'}]]");

    const PluginOutcome added = run("ADD", "dummy", config, "eth0", "IP=10.1.2.88");

    EXPECT_THAT(addresses(added), ElementsAre("10.1.2.88/24"));
    EXPECT_EQ(content("last_reserved_ip.0"), "10.1.2.88");
}

TEST_P(HostLocalOfVersion, GivesRequestedAddressesOfTwoSetsOfOneFamily)
{
    const std::string config =
        ipam("'ranges':[[{'subnet':'10.1.2.0/24'}],[{'subnet':'10.1.3.0/24'}]]",
             "'args':{'cni':{'ips':['10.1.2.88']}},'runtimeConfig':{'ips':['10.1.3.77']},");

    const PluginOutcome added = add("dummy", config);

    if (has_one_address_a_family()) {
        EXPECT_EQ(error_of(added), std::string("CNI version ") + GetParam() +
                                       " does not support more than 1 address per family");
        return;
    }
    EXPECT_THAT(addresses(added), ElementsAre("10.1.2.88/24", "10.1.3.77/24"));
}

TEST_P(HostLocalOfVersion, GivesRequestedAddressesOfBothFamilies)
{
    const std::string config = ipam(
        "'ranges':[[{'subnet':'10.1.2.0/24'},{'subnet':'172.16.1.0/24'}],"
        "[{'subnet':'2001:db8:1::/64'}]]",
        "'args':{'cni':{'ips':['172.16.1.99','2001:db8:1::999']}},");

    EXPECT_THAT(addresses(add("dummy", config)),
                ElementsAre("172.16.1.99/24", "2001:db8:1::999/64"));
}

TEST_P(HostLocalOfVersion, ReleasesEverythingWhenARequestFitsNoSet)
{
    const std::string config =
        ipam("'ranges':[[{'subnet':'10.1.2.0/24'}],[{'subnet':'2001:db8:1::/64'}]]",
             "'args':{'cni':{'ips':['10.1.2.88','10.1.9.9','10.1.2.77']}},");

    EXPECT_EQ(error_of(add("dummy", config)),
              "failed to allocate all requested IPs: 10.1.9.9 10.1.2.77");
    EXPECT_THAT(reserved(), IsEmpty());
}

TEST_P(HostLocalOfVersion, ChecksFromVersion040On)
{
    const std::string config = ipam("'ranges':[[{'subnet':'10.1.2.0/24'}]]");
    if (std::string(GetParam()) < "0.4.0") {
        EXPECT_EQ(error_of(run("CHECK", "dummy", config), 1),
                  "config version does not allow CHECK");
        return;
    }
    const std::string missing = "host-local: Failed to find address added by container dummy";
    EXPECT_EQ(error_of(run("CHECK", "dummy", config)), missing);
    EXPECT_FALSE(std::filesystem::exists(temp_ / "net"));
    addresses(add("dummy", config));
    EXPECT_EQ(run("CHECK", "dummy", config).status, 0);
    EXPECT_EQ(error_of(run("CHECK", "dummy", config, "eth1")), missing);
    addresses(add("other", config));
    EXPECT_EQ(run("CHECK", "other", config).status, 0);
    EXPECT_EQ(del("dummy", config).status, 0);
    EXPECT_EQ(error_of(run("CHECK", "dummy", config)), missing);
    write("10.1.2.99", "dummy");
    EXPECT_EQ(run("CHECK", "dummy", config).status, 0);
}

const std::string kConfig =
    "{'cniVersion':'1.1.0','name':'net','ipam':{'type':'host-local','dataDir':'$D',"
    "'subnet':'10.1.2.0/29'}}";

TEST_F(HostLocal, SaysWhichRangeIsExhausted)
{
    for (int i = 2; i < 7; ++i)
        addresses(add("c" + std::to_string(i), kConfig));

    EXPECT_EQ(error_of(add("c7", kConfig)),
              "failed to allocate for range 0: no IP addresses available in range set: "
              "10.1.2.1-10.1.2.6");
}

TEST_F(HostLocal, ReleasesItsOwnAndNothingElseWhenALaterSetFails)
{
    const std::string config =
        "{'cniVersion':'1.0.0','name':'net','ipam':{'dataDir':'$D',"
        "'ranges':[[{'subnet':'10.1.2.0/29'}],[{'subnet':'10.1.3.0/30'}]]}}";
    write("10.1.3.2", "other\r\neth0");
    write("10.1.9.9", "dummy\r\neth0");  // of an earlier configuration

    EXPECT_EQ(error_of(add("dummy", config)),
              "failed to allocate for range 1: no IP addresses available in range set: "
              "10.1.3.1-10.1.3.2");
    EXPECT_THAT(reserved(), ElementsAre("10.1.3.2", "10.1.9.9"));
    EXPECT_FALSE(std::filesystem::exists(path("last_reserved_ip.0")));
}

TEST_F(HostLocal, NeverAllocatesPastTheBroadcastAddress)
{
    const std::string config =
        "{'cniVersion':'1.0.0','name':'net','ipam':{'dataDir':'$D',"
        "'subnet':'10.1.0.0/24','rangeStart':'10.1.0.255'}}";
    EXPECT_THAT(addresses(add("c1", config)), ElementsAre("10.1.0.255/24"));

    EXPECT_THAT(error_of(add("c2", config)), HasSubstr("no IP addresses available"));
    EXPECT_THAT(reserved(), ElementsAre("10.1.0.255"));
}

TEST_F(HostLocal, RefusesARouteWithoutADestination)
{
    const PluginOutcome added =
        add("c1",
            "{'cniVersion':'1.0.0','name':'net','ipam':{'dataDir':'$D','subnet':'10.1.0.0/24',"
            "'routes':[{'gw':'10.1.0.1'}]}}");

    EXPECT_NE(error_of(added), "");
    EXPECT_THAT(reserved(), IsEmpty());
}

TEST_F(HostLocal, ReadsResolvConfBeforeItAllocates)
{
    const PluginOutcome added = add("c1",
                                    "{'cniVersion':'1.0.0','name':'net','ipam':{'dataDir':'$D',"
                                    "'subnet':'10.1.0.0/24','resolvConf':'/nowhere/resolv.conf'}}");

    EXPECT_EQ(error_of(added), "open /nowhere/resolv.conf: no such file or directory");
    EXPECT_FALSE(std::filesystem::exists(temp_ / "net"));
}

TEST_F(HostLocal, RefusesWhatTheGoPluginRefuses)
{
    const auto refusal = [&](const std::string &inside) {
        return error_of(add("c1", "{'cniVersion':'0.4.0','name':'net'" + inside + "}"));
    };
    EXPECT_EQ(refusal(""), "IPAM config missing 'ipam' key");
    EXPECT_EQ(refusal(",'ipam':{}"), "no IP ranges specified");
    EXPECT_EQ(refusal(",'ipam':{'subnet':'10.1.0.0/31'}"),
              "invalid range set 0: Network 10.1.0.0/31 too small to allocate from");
    EXPECT_EQ(refusal(",'ipam':{'ranges':[[]]}"), "invalid range set 0: empty range set");
    EXPECT_EQ(refusal(",'ipam':{'subnet':'10.1.0.0/16','ranges':[[{'subnet':'10.1.5.0/24'}]]}"),
              "range set 0 overlaps with 1");
    EXPECT_FALSE(std::filesystem::exists(temp_ / "net"));
}

TEST_F(HostLocal, DeletesWithAConfigurationThatAddWouldRefuse)
{
    addresses(add("c1", kConfig));
    write("10.1.2.6", "c1\r\neth0");

    const PluginOutcome deleted =
        del("c1",
            "{'cniVersion':'1.0.0','name':'net','ipam':{'dataDir':'$D','subnet':'nonsense',"
            "'routes':[{}],'ranges':7}}");

    EXPECT_EQ(deleted.status, 0) << deleted.out;
    EXPECT_THAT(reserved(), IsEmpty());
}

TEST_F(HostLocal, DeletesWhatAKilledAddLeftAndAddsAgain)
{
    addresses(add("c0", kConfig));
    write("10.1.2.3", "");  // killed between open and write
    write("last_reserved_ip.0.tmp", "10.1");

    EXPECT_EQ(del("c1", kConfig).status, 0);
    EXPECT_THAT(reserved(), ElementsAre("10.1.2.2"));
    EXPECT_FALSE(std::filesystem::exists(path("last_reserved_ip.0.tmp")));
    EXPECT_THAT(addresses(add("c1", kConfig)), ElementsAre("10.1.2.3/29"));
}

TEST_F(HostLocal, DoesNotFollowLinksInItsDirectory)
{
    write("10.1.2.2", "");
    std::filesystem::remove(path("10.1.2.2"));
    std::ofstream(temp_ / "victim") << "c1\r\neth0";
    ASSERT_EQ(::symlink((temp_ / "victim").c_str(), path("10.1.2.2").c_str()), 0);
    ASSERT_EQ(::symlink((temp_ / "victim").c_str(), path("last_reserved_ip.0").c_str()), 0);

    EXPECT_THAT(addresses(add("c1", kConfig)), ElementsAre("10.1.2.3/29"));
    EXPECT_EQ(del("c1", kConfig).status, 0);

    std::ifstream victim(temp_ / "victim");
    std::string text((std::istreambuf_iterator<char>(victim)), {});
    EXPECT_EQ(text, "c1\r\neth0");
    EXPECT_TRUE(std::filesystem::is_symlink(path("10.1.2.2")));
}

TEST_F(HostLocal, CollectsWhatTheRuntimeDoesNotList)
{
    for (const char *id : {"c1", "c2", "c3"})
        addresses(add(id, kConfig));
    addresses(add("c1", kConfig, "eth1"));
    write("10.1.2.6", "c4");
    const auto gc = [&](const std::string &attachments) {
        std::string config = kConfig;
        config.insert(1, attachments);
        return run("GC", "", config).status;
    };

    EXPECT_EQ(gc(""), 0);
    EXPECT_EQ(reserved().size(), 5U);
    EXPECT_EQ(gc("'cni.dev/valid-attachments':[{'containerID':'c1','ifname':'eth1'},"
                 "{'containerID':'c3','ifname':'eth0'},{'containerID':'c4','ifname':'x'}],"),
              0);
    EXPECT_THAT(reserved(), ElementsAre("10.1.2.4", "10.1.2.5", "10.1.2.6"));
    EXPECT_EQ(gc("'cni.dev/attachments':[{'containerID':'c3','ifname':'eth0'}],"), 0);
    EXPECT_THAT(reserved(), ElementsAre("10.1.2.4"));
    EXPECT_EQ(run("CHECK", "c3", kConfig).status, 0);
    EXPECT_EQ(gc("'cni.dev/valid-attachments':[],"), 0);
    EXPECT_THAT(reserved(), IsEmpty());
}

TEST_F(HostLocal, StaysReadyWhenARangeIsExhaustedUnlessToldOtherwise)
{
    const std::string strict =
        "{'cniVersion':'1.1.0','name':'net','ipam':{'dataDir':'$D','subnet':'10.1.2.0/30',"
        "'statusFailsWhenExhausted':true}}";
    const std::string lenient =
        "{'cniVersion':'1.1.0','name':'net','ipam':{'dataDir':'$D','subnet':'10.1.2.0/30'}}";
    EXPECT_EQ(run("STATUS", "", strict).status, 0);
    addresses(add("c1", strict));

    EXPECT_EQ(run("STATUS", "", lenient).status, 0);
    EXPECT_EQ(error_of(run("STATUS", "", strict), 50),
              "no IP addresses available in range set: 10.1.2.1-10.1.2.2");
    EXPECT_EQ(del("c1", strict).status, 0);
    EXPECT_EQ(run("STATUS", "", strict).status, 0);
}

TEST_F(HostLocal, IsReadyWithoutTheRangesThatOnlyAddGets)
{
    const PluginOutcome status =
        run("STATUS", "", "{'cniVersion':'1.1.0','name':'net','ipam':{'dataDir':'$D'}}");

    EXPECT_EQ(status.status, 0) << status.out;
    EXPECT_EQ(status.out, "");
}

TEST_F(HostLocal, GivesThirtyContainersAtOnceThirtyAddresses)
{
    const std::string config =
        "{'cniVersion':'1.0.0','name':'net','ipam':{'dataDir':'$D',"
        "'ranges':[[{'subnet':'10.1.2.0/24'}],[{'subnet':'fd00::/64'}]]}}";
    std::vector<PluginOutcome> outcomes(30);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        threads.emplace_back([&, i] { outcomes[i] = add("c" + std::to_string(i), config); });
    for (std::thread &thread : threads)
        thread.join();

    std::set<std::string> given;
    for (const PluginOutcome &outcome : outcomes) {
        for (const std::string &address : addresses(outcome))
            given.insert(address);
    }
    EXPECT_EQ(given.size(), 60U);
    EXPECT_EQ(reserved().size(), 60U);
}

TEST_F(HostLocal, DoesNotWaitForEverForTheLock)
{
    addresses(add("c1", kConfig));
    const auto lock = FileLock::acquire(path("lock"), 0750, std::chrono::seconds(1));
    ASSERT_TRUE(lock);

    EXPECT_THAT(error_of(add("c2", kConfig), 11), HasSubstr("still held by another process"));
}

}  // namespace
}  // namespace tortie
