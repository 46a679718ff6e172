// SPDX-License-Identifier: Apache-2.0
#include "cni/result_codec.h"

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

Json parsed(std::string_view text)
{
    return Json::parse_object(text).value();
}

CniResult dual_stack()
{
    CniResult result;
    result.interfaces = {{.name = "eth0",
                          .mac = "02:00:00:00:00:01",
                          .mtu = 1400,
                          .sandbox = "/n",
                          .socket_path = "/s",
                          .pci_id = "p"}};
    result.ips = {{.address = *Cidr::parse("10.1.2.3/24"),
                   .gateway = IpAddr::parse("10.1.2.1"),
                   .interface = 0},
                  {.address = *Cidr::parse("2001:db8::3/64"), .gateway = {}, .interface = {}}};
    Route route;
    route.dst = *Cidr::parse("0.0.0.0/0");
    route.gw = IpAddr::parse("10.1.2.1");
    route.mtu = 1300;
    result.routes = {route};
    return result;
}

TEST(PrintResult, NewestShapeHasSortedKeysAndNoEmptyParts)
{
    EXPECT_EQ(print_result(dual_stack(), "1.1.0").value(), R"({
    "cniVersion": "1.1.0",
    "interfaces": [
        {
            "mac": "02:00:00:00:00:01",
            "mtu": 1400,
            "name": "eth0",
            "pciID": "p",
            "sandbox": "/n",
            "socketPath": "/s"
        }
    ],
    "ips": [
        {
            "address": "10.1.2.3/24",
            "gateway": "10.1.2.1",
            "interface": 0
        },
        {
            "address": "2001:db8::3/64"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0",
            "gw": "10.1.2.1",
            "mtu": 1300
        }
    ]
})");
}

TEST(PrintResult, MiddleShapeHasAVersionInEachIpAndAlwaysDns)
{
    EXPECT_EQ(print_result(dual_stack(), "0.4.0").value(), R"({
    "cniVersion": "0.4.0",
    "interfaces": [
        {
            "name": "eth0",
            "mac": "02:00:00:00:00:01",
            "sandbox": "/n"
        }
    ],
    "ips": [
        {
            "version": "4",
            "interface": 0,
            "address": "10.1.2.3/24",
            "gateway": "10.1.2.1"
        },
        {
            "version": "6",
            "address": "2001:db8::3/64"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0",
            "gw": "10.1.2.1",
            "mtu": 1300
        }
    ],
    "dns": {}
})");
}

TEST(PrintResult, OldestShapeHasOneAddressAFamilyWithItsRoutes)
{
    EXPECT_EQ(print_result(dual_stack(), "0.2.0").value(), R"({
    "cniVersion": "0.2.0",
    "ip4": {
        "ip": "10.1.2.3/24",
        "gateway": "10.1.2.1",
        "routes": [
            {
                "dst": "0.0.0.0/0",
                "gw": "10.1.2.1"
            }
        ]
    },
    "ip6": {
        "ip": "2001:db8::3/64"
    },
    "dns": {}
})");
}

TEST(PrintResult, OldestShapeCannotSayNothing)
{
    EXPECT_EQ(print_result({}, "0.1.0").error().what(), "cannot convert: no valid IP addresses");
}

TEST(PrintPrevious, NeedsNoAddressInTheOldestShape)
{
    EXPECT_EQ(print_previous({}, "0.2.0"), R"({
    "cniVersion": "0.2.0",
    "dns": {}
})");
}

TEST(PrintPrevious, LeavesTheVersionOfAnIpInTheMiddleShapeAsItWas)
{
    const CniResult result =
        parse_result(parsed(R"({"ips": [{"address": "10.0.0.2/24"}]})"), "0.4.0").value();

    EXPECT_NE(print_previous(result, "0.4.0").find(R"("version": "")"), std::string::npos);
    EXPECT_NE(print_result(result, "0.4.0")->find(R"("version": "4")"), std::string::npos);
}

TEST(ParseResult, ReadsBackWhatEachFamilyPrints)
{
    for (const char *version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
        const std::string text = print_result(dual_stack(), version).value();
        const CniResult again = parse_result(parsed(text), version).value();
        EXPECT_EQ(print_result(again, version).value(), text) << version;
    }
}

TEST(ParseResult, MakesTwoIpsOfTheOldestShape)
{
    const CniResult result =
        parse_result(parsed(print_result(dual_stack(), "0.1.0").value()), "0.2.0").value();
    ASSERT_EQ(result.ips.size(), 2U);
    EXPECT_EQ(result.ips[1].address.to_string(), "2001:db8::3/64");
    EXPECT_EQ(result.routes.size(), 1U);
    EXPECT_TRUE(result.interfaces.empty());
}

TEST(PreviousResult, TakesTheConfigurationsVersionWhenItHasNone)
{
    const auto result = previous_result(
        parsed(R"({"prevResult": {"ips": [{"address": "10.0.0.2/24"}]}})"), "1.0.0");
    ASSERT_TRUE(result.has_value() && result->has_value());
    EXPECT_EQ((*result)->ips.size(), 1U);
}

TEST(PreviousResult, RefusesAnotherResultFamily)
{
    EXPECT_EQ(previous_result(parsed(R"({"prevResult": {"cniVersion": "0.4.0"}})"), "1.1.0")
                  .error()
                  .what(),
              "could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled "
              "CNIVersion is \"0.4.0\"");
    EXPECT_TRUE(
        previous_result(parsed(R"({"prevResult": {"cniVersion": "0.3.0"}})"), "0.4.0").has_value());
}

TEST(PreviousResult, TakesAnEmptyVersionForTheOldest)
{
    const Json config = parsed(R"({"prevResult": {"cniVersion": ""}})");
    EXPECT_TRUE(previous_result(config, "0.2.0").has_value());
    EXPECT_EQ(previous_result(config, "1.0.0").error().what(),
              "could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled "
              "CNIVersion is \"\"");
    EXPECT_EQ(previous_result(parsed(R"({"prevResult": {"cniVersion": "0.4.0"}})"), "0.1.0")
                  .error()
                  .what(),
              "could not parse prevResult: result type supports [ 0.1.0 0.2.0] but unmarshalled "
              "CNIVersion is \"0.4.0\"");
}

TEST(PreviousResult, NullIsAbsentAndATextIsAnError)
{
    EXPECT_FALSE(previous_result(parsed(R"({"prevResult": null})"), "1.0.0")->has_value());
    EXPECT_FALSE(previous_result(parsed(R"({"prevResult": "x"})"), "1.0.0").has_value());
}

TEST(ParseResult, RefusesAddressesAndRoutesThatAreNone)
{
    const auto ips = [](const char *address) {
        return parse_result(parsed(R"({"ips": [{"address": ")" + std::string(address) + "\"}]}"),
                            "1.0.0");
    };
    EXPECT_EQ(ips("10.0.0.2").error().what(), "invalid CIDR address: 10.0.0.2");
    for (const char *address : {"10.0.0.2/33", "::ffff:10.0.0.2/129", "::ffff:10.0.0.2/"})
        EXPECT_FALSE(ips(address).has_value()) << address;
    EXPECT_EQ(parse_result(parsed(R"({"ips": [{"address": null}]})"), "1.0.0").error().what(),
              "invalid CIDR address: ");
    EXPECT_FALSE(parse_result(parsed(R"({"routes": [{"gw": "10.0.0.1"}]})"), "1.0.0").has_value());
    EXPECT_FALSE(parse_result(parsed(R"({"ips": [7]})"), "1.0.0").has_value());
}

TEST(ParseResult, CountsThePrefixOfAMappedAddressFromItsLastFourBytes)
{
    const auto address = [](const char *text) {
        return parse_result(parsed(R"({"ips": [{"address": ")" + std::string(text) + "\"}]}"),
                            "1.0.0")
            ->ips[0]
            .address.to_string();
    };
    EXPECT_EQ(address("::ffff:10.0.0.1/120"), "10.0.0.1/24");
    EXPECT_EQ(address("::ffff:10.0.0.1/128"), "10.0.0.1/32");
    EXPECT_EQ(address("::ffff:10.0.0.1/64"), "10.0.0.1/0");
}

TEST(ParseResult, DropsNumbersOfARouteThatAre0ExceptTableAndScope)
{
    const CniResult result = parse_result(parsed(R"({"routes": [{"dst": "10.0.0.0/8", "mtu": 0,
        "advmss": 0, "priority": 0, "table": 0, "scope": 0}]})"),
                                          "1.1.0")
                                 .value();

    EXPECT_NE(print_result(result, "1.1.0")->find(R"({
            "dst": "10.0.0.0/8",
            "scope": 0,
            "table": 0
        })"),
              std::string::npos);
}

TEST(ParseResult, KeepsAnInterfaceIndexAsItIs)
{
    const auto result =
        parse_result(parsed(R"({"ips": [{"address": "10.0.0.2/24", "interface": -7}]})"), "1.0.0");
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->ips[0].interface, -7);
}

}  // namespace
}  // namespace tortie::cni
