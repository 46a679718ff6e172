// SPDX-License-Identifier: Apache-2.0
#include "sys/link_pair.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <string_view>

namespace tortie {
namespace {

// include/uapi/linux/if_link.h of Linux 6.7; Debian 12's headers are older.
enum NetkitAttribute : std::uint16_t {
    kNetkitPeerInfo = 1,
    kNetkitPolicy = 3,
    kNetkitPeerPolicy = 4,
    kNetkitMode = 5,
};
constexpr std::uint32_t kNetkitL2 = 0;
constexpr std::uint32_t kNetkitPass = 0;

void put_end(NetlinkMessage &message, const LinkPair &pair, const PairEnd &end)
{
    message.put_string(IFLA_IFNAME, end.name);
    if (end.mac)
        message.put(IFLA_ADDRESS, *end.mac);
    if (pair.mtu_bytes != 0)
        message.put_u32(IFLA_MTU, pair.mtu_bytes);
    if (pair.queues != 0) {
        message.put_u32(IFLA_NUM_TX_QUEUES, pair.queues);
        message.put_u32(IFLA_NUM_RX_QUEUES, pair.queues);
    }
}

// The attribute that holds the other end.
void nest_there(NetlinkMessage &message, std::uint16_t attr, const LinkPair &pair)
{
    message.nest(attr, [&] {
        message.put_header(ifinfomsg{});
        put_end(message, pair, pair.there);
        message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(pair.there_netns_fd));
    });
}

// `data` puts what only this kind has.
template <class Data>
NetlinkMessage new_pair(const LinkPair &pair, std::string_view kind, Data &&data)
{
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.put_header(ifinfomsg{});
    put_end(message, pair, pair.here);
    message.nest(IFLA_LINKINFO, [&] {
        message.put_string(IFLA_INFO_KIND, kind);
        message.nest(IFLA_INFO_DATA, [&] { data(message); });
    });
    return message;
}

}  // namespace

NetlinkMessage new_veth(const LinkPair &pair)
{
    return new_pair(pair, "veth",
                    [&](NetlinkMessage &message) { nest_there(message, VETH_INFO_PEER, pair); });
}

NetlinkMessage new_netkit(const LinkPair &pair)
{
    LinkPair without_queues = pair;
    without_queues.queues = 0;
    return new_pair(without_queues, "netkit", [&](NetlinkMessage &message) {
        message.put_u32(kNetkitMode, kNetkitL2);
        message.put_u32(kNetkitPolicy, kNetkitPass);
        message.put_u32(kNetkitPeerPolicy, kNetkitPass);
        nest_there(message, kNetkitPeerInfo, without_queues);
    });
}

}  // namespace tortie
