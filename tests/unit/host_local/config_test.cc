// SPDX-License-Identifier: Apache-2.0
#include "host-local/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host-local/store.h"

namespace tortie::host_local {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// `json` with ' for ", which reads better here.
cni::Request request(std::string json, std::string args = "")
{
    for (char &c : json)
        c = c == '\'' ? '"' : c;
    cni::Request request;
    request.args = std::move(args);
    request.config = cni::Json::parse_object(json).value();
    return request;
}

Config parse(const std::string &json, const std::string &args = "")
{
    return parse_config(request(json, args)).value();
}

std::string refusal(const std::string &json, const std::string &args = "")
{
    const auto config = parse_config(request(json, args));
    return config ? "accepted" : config.error().what();
}

std::vector<std::string> sets(const Config &config)
{
    std::vector<std::string> texts;
    for (const RangeSet &set : config.sets)
        texts.push_back(set.to_string());
    return texts;
}

std::vector<std::string> requested(const Config &config)
{
    std::vector<std::string> texts;
    for (const IpAddr &ip : config.requested)
        texts.push_back(ip.to_string());
    return texts;
}

TEST(Config, ReadsTheOldStyle)
{
    const Config config = parse(
        "{'cniVersion':'0.3.1','name':'n','ipam':{'type':'host-local','subnet':'10.1.2.0/24',"
        "'rangeStart':'10.1.2.9','rangeEnd':'10.1.2.20','gateway':'10.1.2.30'}}");

    EXPECT_THAT(sets(config), ElementsAre("10.1.2.9-10.1.2.20"));
    EXPECT_EQ(config.sets[0].ranges()[0].gateway.to_string(), "10.1.2.30");
    EXPECT_EQ(config.data_dir, "/var/lib/cni/networks");
}

TEST(Config, ReadsTheNewStyle)
{
    const Config config = parse(
        "{'cniVersion':'0.3.1','name':'n','ipam':{'dataDir':'/d','resolvConf':'/r',"
        "'ranges':[[{'subnet':'10.1.2.0/24'},{'subnet':'10.1.4.0/24'}],"
        "[{'subnet':'11.1.2.0/24','rangeStart':'11.1.2.9','rangeEnd':'11.1.2.20'}]]}}");

    EXPECT_THAT(sets(config),
                ElementsAre("10.1.2.1-10.1.2.254,10.1.4.1-10.1.4.254", "11.1.2.9-11.1.2.20"));
    EXPECT_EQ(config.data_dir, "/d");
    EXPECT_EQ(config.resolv_conf, "/r");
}

TEST(Config, PutsTheRuntimesRangesFirstAndTheOldStyleBeforeTheNew)
{
    const Config config = parse(
        "{'cniVersion':'0.3.1','name':'n',"
        "'runtimeConfig':{'ipRanges':[[{'subnet':'12.1.3.0/24'}],[{'subnet':'2001:db8::/64'}]]},"
        "'ipam':{'subnet':'10.1.2.0/24','ranges':[[{'subnet':'11.1.2.0/24'}]]}}");

    EXPECT_THAT(sets(config),
                ElementsAre("12.1.3.1-12.1.3.254", "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff",
                            "10.1.2.1-10.1.2.254", "11.1.2.1-11.1.2.254"));
}

TEST(Config, TakesKeysWhateverTheirCase)
{
    EXPECT_THAT(sets(parse("{'Name':'n','IPAM':{'Subnet':'10.1.2.0/30'}}")),
                ElementsAre("10.1.2.1-10.1.2.2"));
}

constexpr auto kSubnet = "'ipam':{'subnet':'10.1.0.0/16'}";

TEST(Config, CollectsRequestedAddressesInOrderAndOnce)
{
    const Config config = parse(
        "{'name':'n','args':{'cni':{'ips':['10.1.2.12','10.1.2.11/24','2001:db8::1']}},"
        "'runtimeConfig':{'ips':['10.1.2.13','10.1.2.12/16','::ffff:10.1.2.14/120']}," +
            std::string(kSubnet) + "}",
        "IP=10.1.2.11");

    EXPECT_THAT(requested(config),
                ElementsAre("10.1.2.11", "10.1.2.12", "2001:db8::1", "10.1.2.13", "10.1.2.14"));
}

TEST(Config, ReadsTheAddressOfCniArgsWithAndWithoutPrefix)
{
    const std::string json = "{'name':'n'," + std::string(kSubnet) + "}";

    EXPECT_THAT(requested(parse(json, "IP=10.1.2.10")), ElementsAre("10.1.2.10"));
    EXPECT_THAT(requested(parse(json, "IP=10.1.2.11/24")), ElementsAre("10.1.2.11"));
    EXPECT_THAT(requested(parse(json, "IP=")), IsEmpty());
    EXPECT_THAT(requested(parse(json, "IgnoreUnknown=1;K8S_POD_NAME=p")), IsEmpty());
}

TEST(Config, RefusesRequestsThatAreNoAddresses)
{
    const std::string json = "{'name':'n'," + std::string(kSubnet) + "}";
    EXPECT_EQ(refusal(json, "IP=10.1.2"),
              "ARGS: error parsing value of pair \"IP=10.1.2\": invalid IP address 10.1.2");
    EXPECT_EQ(refusal(json, "IP=10.1.2.3/33"),
              "ARGS: error parsing value of pair \"IP=10.1.2.3/33\": "
              "invalid IP address 10.1.2.3/33");
    EXPECT_EQ(refusal(json, "K8S_POD_NAME=p"), "ARGS: unknown args [\"K8S_POD_NAME=p\"]");

    EXPECT_EQ(refusal("{'name':'n','args':{'cni':{'ips':['x']}}," + std::string(kSubnet) + "}"),
              "invalid IP address x");
    EXPECT_EQ(refusal("{'name':'n','runtimeConfig':{'ips':['']}," + std::string(kSubnet) + "}"),
              "cannot understand ip: IP <nil> not v4 nor v6");
}

TEST(Config, RefusesOverlaps)
{
    EXPECT_EQ(refusal("{'cniVersion':'0.3.1','name':'n','ipam':{'ranges':["
                      "[{'subnet':'10.1.2.0/24'},{'subnet':'10.2.2.0/24'}],"
                      "[{'subnet':'10.1.4.0/24'}],"
                      "[{'subnet':'10.1.4.0/24','rangeStart':'10.1.4.250'}]]}}"),
              "range set 1 overlaps with 2");
    EXPECT_EQ(refusal("{'name':'n','ipam':{'ranges':[[{'subnet':'10.1.0.0/22'},"
                      "{'subnet':'10.1.2.0/24'}]]}}"),
              "invalid range set 0: subnets 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap");
}

TEST(Config, RefusesMixedFamiliesInASet)
{
    EXPECT_EQ(refusal("{'name':'n','ipam':{'ranges':[[{'subnet':'10.1.2.0/24'},"
                      "{'subnet':'2001:db8:5::/64'}]]}}"),
              "invalid range set 0: mixed address families");
}

TEST(Config, AllowsOneSetAFamilyBeforeVersion03)
{
    const std::string two =
        "'name':'n','ipam':{'ranges':[[{'subnet':'10.1.2.0/24'}],"
        "[{'subnet':'10.2.2.0/24'}]]}}";
    EXPECT_EQ(refusal("{'cniVersion':'0.2.0'," + two),
              "CNI version 0.2.0 does not support more than 1 address per family");
    EXPECT_EQ(refusal("{" + two), "CNI version  does not support more than 1 address per family");
    EXPECT_EQ(refusal("{'cniVersion':'0.3.0'," + two), "accepted");
    EXPECT_EQ(refusal("{'cniVersion':'0.2.0','name':'n','ipam':{'ranges':["
                      "[{'subnet':'10.1.2.0/24'}],[{'subnet':'2001:db8:1::/48'}]]}}"),
              "accepted");
}

TEST(Config, RefusesWhatIsMissingOrMalformed)
{
    EXPECT_EQ(refusal("{'name':'n'}"), "IPAM config missing 'ipam' key");
    EXPECT_EQ(refusal("{'name':'n','ipam':null}"), "IPAM config missing 'ipam' key");
    EXPECT_EQ(refusal("{'name':'n','ipam':{'ranges':[[]]}}"),
              "invalid range set 0: empty range set");
    EXPECT_EQ(refusal("{'name':'n','ipam':{'ranges':[[{}]]}}"),
              "invalid range set 0: IP <nil> not v4 nor v6");
    EXPECT_EQ(refusal("{'name':'n','ipam':{'subnet':'10.1.2.0'}}"),
              "invalid CIDR address: 10.1.2.0");
    EXPECT_EQ(refusal("{'name':'n','ipam':{'subnet':'::ffff:10.1.2.0/24'}}"),
              "invalid range set 0: IPNet IP and Mask version mismatch");
    EXPECT_EQ(refusal("{'name':'n','ipam':{'subnet':'10.1.2.0/24','gateway':'10.1.2'}}"),
              "invalid IP address: 10.1.2");
    for (const char *wrong :
         {"{'ipam':[]}", "{'ipam':{'ranges':{}}}", "{'ipam':{'ranges':['x']}}",
          "{'ipam':{'ranges':[['x']]}}", "{'ipam':{'dataDir':1}}", "{'ipam':{'routes':[{}]}}",
          "{'ipam':{'routes':[{'gw':'10.0.0.1'}]}}", "{'ipam':{},'args':1}",
          "{'ipam':{'routes':['x']}}", "{'ipam':{'type':1}}", "{'ipam':{'name':1}}"})
        EXPECT_NE(refusal(wrong), "accepted") << wrong;
}

TEST(Config, LeavesItToTheCallerThatThereAreNoRanges)
{
    EXPECT_THAT(parse("{'name':'n','ipam':{'rangeStart':'10.0.0.1'}}").sets, IsEmpty());
}

TEST(Config, FindsTheDataDirectoryWhateverElseIsWrong)
{
    EXPECT_EQ(data_dir_of(request("{'ipam':{'dataDir':'/d','subnet':'nonsense'}}").config), "/d");
    EXPECT_EQ(data_dir_of(request("{'ipam':{'dataDir':7}}").config), kDefaultDataDir);
    EXPECT_EQ(data_dir_of(request("{'ipam':'x'}").config), kDefaultDataDir);
    EXPECT_EQ(data_dir_of(request("{}").config), kDefaultDataDir);
}

}  // namespace
}  // namespace tortie::host_local
