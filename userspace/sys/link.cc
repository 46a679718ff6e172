// SPDX-License-Identifier: Apache-2.0
#include "sys/link.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <optional>

namespace tortie {
namespace {

constexpr std::uint32_t kWithoutStatistics = 1 << 3;  // RTEXT_FILTER_SKIP_STATS, Linux 4.4

}  // namespace

Link read_link(const NetlinkReply &reply)
{
    const auto header = reply.header<ifinfomsg>();
    NetlinkAttrs attrs = reply.attrs<ifinfomsg>();
    Link link;
    link.index = header.ifi_index;
    link.flags = header.ifi_flags;
    link.hardware = header.ifi_type;
    while (const auto attr = attrs.next()) {
        switch (attr->type) {
        case IFLA_IFNAME:
            link.name = attr->string();
            break;
        case IFLA_ADDRESS:
            link.mac.assign(attr->payload.begin(), attr->payload.end());
            break;
        case IFLA_MTU:
            link.mtu = attr->u32();
            break;
        case IFLA_TXQLEN:
            link.tx_queue_len = attr->u32();
            break;
        case IFLA_PROMISCUITY:
            link.promiscuity = attr->u32();
            break;
        case IFLA_QDISC:
            link.qdisc = attr->string();
            break;
        case IFLA_MASTER:
            link.master_index = static_cast<int>(attr->u32());
            break;
        case IFLA_LINKINFO:
            if (const auto kind = attr->nested().find(IFLA_INFO_KIND))
                link.kind = kind->string();
            break;
        case IFLA_LINK:
            link.peer_index = static_cast<int>(attr->u32());
            break;
        case IFLA_LINK_NETNSID:
            link.peer_netns_id = static_cast<int>(attr->u32());
            break;
        default:
            break;
        }
    }
    return link;
}

namespace {

NetlinkMessage change_of(int index, std::uint32_t flags = 0, std::uint32_t mask = 0)
{
    NetlinkMessage message(RTM_SETLINK, 0, 512);
    ifinfomsg header{};
    header.ifi_index = index;
    header.ifi_flags = flags;
    header.ifi_change = mask;
    message.put_header(header);
    return message;
}

Result<> set_flag(NetlinkSocket &socket, const Link &link, std::uint32_t flag, bool on,
                  std::string_view what)
{
    NetlinkMessage message = change_of(link.index, on ? flag : 0, flag);
    return socket.request(message, "set " + link.name + ' ' + std::string(what));
}

Result<> set_number(NetlinkSocket &socket, const Link &link, std::uint16_t attr,
                    std::uint32_t value, std::string_view what)
{
    NetlinkMessage message = change_of(link.index);
    message.put_u32(attr, value);
    return socket.request(
        message, "set " + std::string(what) + " of " + link.name + " to " + std::to_string(value));
}

ifinfomsg of_index(int index)
{
    ifinfomsg header{};
    header.ifi_index = index;
    return header;
}

Result<Link> ask_link(NetlinkSocket &socket, NetlinkMessage message, const std::string &which)
{
    Link link;
    TORTIE_DO(socket.query(message, "find interface " + which,
                           [&](const NetlinkReply &reply) { link = read_link(reply); }));
    return link;
}

// The address of a point-to-point link is IFA_LOCAL; IPv6 without a peer has IFA_ADDRESS only.
std::optional<Cidr> read_address(const NetlinkReply &reply)
{
    const auto attrs = reply.attrs<ifaddrmsg>();
    auto addr = attrs.find(IFA_LOCAL);
    if (!addr)
        addr = attrs.find(IFA_ADDRESS);
    if (!addr || (addr->payload.size() != 4 && addr->payload.size() != 16))
        return std::nullopt;
    return Cidr{IpAddr::from_bytes(addr->payload), reply.header<ifaddrmsg>().ifa_prefixlen};
}

}  // namespace

NetlinkMessage link_question(std::string_view name)
{
    NetlinkMessage message(RTM_GETLINK, 0, 512);
    message.put_header(ifinfomsg{});
    message.put_string(IFLA_IFNAME, name);
    message.put_u32(IFLA_EXT_MASK, kWithoutStatistics);
    return message;
}

NetlinkMessage link_question(int index)
{
    NetlinkMessage message(RTM_GETLINK, 0, 512);
    message.put_header(of_index(index));
    message.put_u32(IFLA_EXT_MASK, kWithoutStatistics);
    return message;
}

Result<Link> find_link(NetlinkSocket &socket, std::string_view name)
{
    return ask_link(socket, link_question(name), std::string(name));
}

Result<Link> find_link(NetlinkSocket &socket, int index)
{
    return ask_link(socket, link_question(index), "number " + std::to_string(index));
}

Result<std::vector<Link>> list_links(NetlinkSocket &socket)
{
    NetlinkMessage message(RTM_GETLINK, 0, 512);
    message.put_header(ifinfomsg{});
    message.put_u32(IFLA_EXT_MASK, kWithoutStatistics);
    std::vector<Link> links;
    TORTIE_DO(socket.dump(
        message, "list interfaces", [&] { links.clear(); },
        [&](const NetlinkReply &reply) {
            if (reply.type == RTM_NEWLINK)
                links.push_back(read_link(reply));
        }));
    return links;
}

Result<> delete_link(NetlinkSocket &socket, std::string_view name)
{
    NetlinkMessage message(RTM_DELLINK, 0, 512);
    message.put_header(ifinfomsg{});
    message.put_string(IFLA_IFNAME, name);
    return socket.request(message, "delete interface " + std::string(name));
}

Result<> delete_link(NetlinkSocket &socket, int index)
{
    NetlinkMessage message(RTM_DELLINK, 0, 512);
    message.put_header(of_index(index));
    return socket.request(message, "delete interface number " + std::to_string(index));
}

NetlinkMessage up_request(int index, bool up)
{
    return change_of(index, up ? IFF_UP : 0, IFF_UP);
}

NetlinkMessage eui64_request(int index)
{
    NetlinkMessage message = change_of(index);
    message.nest(IFLA_AF_SPEC, [&] {
        message.nest(AF_INET6,
                     [&] { message.put_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_EUI64); });
    });
    return message;
}

NetlinkMessage new_address(int index, const Cidr &address)
{
    NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, 512);
    ifaddrmsg header{};
    header.ifa_family = address.addr.family() == Family::kIpv4 ? AF_INET : AF_INET6;
    header.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix);
    header.ifa_scope = RT_SCOPE_UNIVERSE;
    header.ifa_index = static_cast<std::uint32_t>(index);
    message.put_header(header);
    message.put(IFA_LOCAL, address.addr.bytes_be());
    message.put(IFA_ADDRESS, address.addr.bytes_be());
    return message;
}

Result<Ipv6AddressState> look_for_ipv6_address(NetlinkSocket &socket, int index,
                                               const IpAddr &address)
{
    NetlinkMessage message(RTM_GETADDR, 0, 512);
    ifaddrmsg header{};
    header.ifa_family = AF_INET6;
    header.ifa_index = static_cast<std::uint32_t>(index);
    message.put_header(header);
    message.put(IFA_ADDRESS, address.bytes_be());
    auto state = Ipv6AddressState::kMissing;
    const auto asked = socket.query(
        message, "find address " + address.to_string(), [&](const NetlinkReply &reply) {
            const bool tentative = (reply.header<ifaddrmsg>().ifa_flags & IFA_F_TENTATIVE) != 0;
            state = tentative ? Ipv6AddressState::kTentative : Ipv6AddressState::kUsable;
        });
    if (!asked && asked.error().sys_errno() != EADDRNOTAVAIL)
        return fail(asked.error());
    return state;
}

Result<> set_up(NetlinkSocket &socket, const Link &link, bool up)
{
    return set_flag(socket, link, IFF_UP, up, up ? "up" : "down");
}

Result<> set_promisc(NetlinkSocket &socket, const Link &link, bool on)
{
    return set_flag(socket, link, IFF_PROMISC, on, on ? "promisc on" : "promisc off");
}

Result<> set_allmulti(NetlinkSocket &socket, const Link &link, bool on)
{
    return set_flag(socket, link, IFF_ALLMULTI, on, on ? "allmulti on" : "allmulti off");
}

Result<> set_mtu(NetlinkSocket &socket, const Link &link, std::uint32_t mtu_bytes)
{
    return set_number(socket, link, IFLA_MTU, mtu_bytes, "mtu");
}

Result<> set_tx_queue_len(NetlinkSocket &socket, const Link &link, std::uint32_t packets)
{
    return set_number(socket, link, IFLA_TXQLEN, packets, "transmit queue length");
}

Result<> set_mac(NetlinkSocket &socket, const Link &link, std::span<const std::uint8_t> mac)
{
    NetlinkMessage message = change_of(link.index);
    message.put(IFLA_ADDRESS, mac);
    return socket.request(message, "set mac of " + link.name);
}

Result<std::vector<Cidr>> list_addresses(NetlinkSocket &socket, const Link &link)
{
    NetlinkMessage message(RTM_GETADDR, 0, 512);
    message.put_header(ifaddrmsg{});  // AF_UNSPEC: IPv4 and then IPv6 in one dump
    std::vector<Cidr> addresses;
    TORTIE_DO(socket.dump(
        message, "list addresses of " + link.name, [&] { addresses.clear(); },
        [&](const NetlinkReply &reply) {
            if (reply.type != RTM_NEWADDR ||
                reply.header<ifaddrmsg>().ifa_index != static_cast<std::uint32_t>(link.index))
                return;
            if (const auto address = read_address(reply))
                addresses.push_back(*address);
        }));
    return addresses;
}

}  // namespace tortie
