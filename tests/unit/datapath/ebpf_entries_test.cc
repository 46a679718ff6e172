// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_entries.h"

#include <arpa/inet.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

PortMapping mapping(std::uint16_t host_port, Protocol protocol = Protocol::kTcp,
                    const char *host_ip = nullptr)
{
    PortMapping one;
    one.host_port = host_port;
    one.container_port = 80;
    one.protocol = protocol;
    if (host_ip != nullptr)
        one.host_ip = IpAddr::parse(host_ip);
    return one;
}

Publication publication(std::vector<PortMapping> mappings)
{
    Publication made;
    made.attachment = {.network = "net", .container_id = "one", .ifname = "eth0"};
    made.addresses = {*Cidr::parse("10.0.0.2/24"), *Cidr::parse("fd00::2/64")};
    made.mappings = std::move(mappings);
    return made;
}

PublishedPort port_of(const char *target, const char *host_ip = nullptr)
{
    PublishedPort port;
    port.host_port = 8080;
    port.target = *IpAddr::parse(target);
    port.target_port = 80;
    if (host_ip != nullptr)
        port.host_ip = IpAddr::parse(host_ip);
    return port;
}

TEST(EbpfEntries, MapAddressesOfBothFamiliesAndBack)
{
    for (const char *text : {"10.0.0.2", "0.0.0.0", "fd00::2", "::", "::1"}) {
        const IpAddr address = *IpAddr::parse(text);
        EXPECT_EQ(unmap_address(map_address(address)), address) << text;
    }
    EXPECT_EQ(map_address(*IpAddr::parse("10.0.0.2"))[11], 0xff);
}

TEST(EbpfEntries, KeyAPortOnEveryAddressByItsFamily)
{
    const pm_hostport_key v4 = hostport_key(port_of("10.0.0.2"));
    const pm_hostport_key v6 = hostport_key(port_of("fd00::2"));
    const pm_hostport_key one = hostport_key(port_of("10.0.0.2", "192.0.2.1"));

    EXPECT_EQ(unmap_address(address_in(v4.addr_be)), *IpAddr::parse("0.0.0.0"));
    EXPECT_EQ(unmap_address(address_in(v6.addr_be)), *IpAddr::parse("::"));
    EXPECT_EQ(unmap_address(address_in(one.addr_be)), *IpAddr::parse("192.0.2.1"));
    EXPECT_EQ(ntohs(v4.port_be), 8080);
    EXPECT_EQ(v4.l4_proto, 6);
    EXPECT_EQ(v4.pad, 0);
}

TEST(EbpfEntries, CarryTcpAndUdpOfBothFamiliesAndLeaveSctpAndLoopback)
{
    EXPECT_THAT(carried_ports(publication({mapping(8080), mapping(53, Protocol::kUdp)}), {}),
                SizeIs(4));
    EXPECT_THAT(carried_ports(publication({mapping(9, Protocol::kSctp),
                                           mapping(8080, Protocol::kTcp, "127.0.0.1")}),
                              {}),
                IsEmpty());
}

TEST(EbpfEntries, LeaveWhatNeedsNetfilterForEveryPacket)
{
    Publication all = publication({mapping(8080)});
    all.policy.masq_all = true;
    Publication marked = publication({mapping(8080)});
    marked.policy.external_set_mark_chain = "KUBE-MARK-MASQ";
    Publication conditional = publication({mapping(8080)});
    conditional.policy.conditions_v4 = {"ip", "saddr", "10.0.0.0/8"};

    EXPECT_THAT(carried_ports(all, {}), IsEmpty());
    EXPECT_THAT(carried_ports(marked, {}), IsEmpty());
    EXPECT_THAT(carried_ports(conditional, {}), SizeIs(1));  // IPv6 has no conditions
}

TEST(EbpfEntries, LeavePortsThatAnOlderPodHolds)
{
    const auto wanted = publication({mapping(8080, Protocol::kTcp, "192.0.2.1")});

    EXPECT_THAT(carried_ports(wanted, {port_of("10.0.0.9")}), IsEmpty());
    EXPECT_THAT(carried_ports(wanted, {port_of("10.0.0.9", "192.0.2.1")}), IsEmpty());
    EXPECT_THAT(carried_ports(wanted, {port_of("10.0.0.9", "192.0.2.7")}), SizeIs(1));
    EXPECT_THAT(carried_ports(wanted, {port_of("fd00::9")}), SizeIs(1));
}

}  // namespace
}  // namespace tortie
