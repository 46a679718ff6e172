// SPDX-License-Identifier: Apache-2.0
#include "sys/conntrack.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <span>
#include <vector>

#include "sys/netlink.h"
#include "sys/netlink_batch.h"

namespace tortie {
namespace {

// Which parts of a tuple CTA_FILTER compares: the kernel keeps these bits to itself. A kernel
// before 5.8 passes over the attribute and lists everything.
// Source: CTA_FILTER_F_* in net/netfilter/nf_internals.h.
constexpr std::uint32_t kFilterProtocol = 1U << 3;
constexpr std::uint32_t kFilterDestinationPort = 1U << 5;

NetlinkMessage ct_request(std::uint16_t message, Family family)
{
    NetlinkMessage request(static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | message), 0);
    request.put_header(nfgenmsg{
        .nfgen_family =
            static_cast<std::uint8_t>(family == Family::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6),
        .version = NFNETLINK_V0,
        .res_id = 0,
    });
    return request;
}

struct Tuple {
    IpAddr source;
    IpAddr destination;
    std::uint8_t ip_protocol = 0;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

std::optional<IpAddr> address_in(const NetlinkAttrs &ip, std::uint16_t v4, std::uint16_t v6)
{
    if (const auto found = ip.find(v4); found && found->payload.size() == 4)
        return IpAddr::from_bytes(found->payload);
    if (const auto found = ip.find(v6); found && found->payload.size() == 16)
        return IpAddr::from_bytes(found->payload);
    return std::nullopt;
}

std::uint16_t port_in(const NetlinkAttrs &proto, std::uint16_t attr)
{
    const auto found = proto.find(attr);
    if (!found || found->payload.size() != 2)
        return 0;
    return static_cast<std::uint16_t>((found->payload[0] << 8) | found->payload[1]);
}

std::optional<Tuple> read_tuple(const NetlinkAttrs &entry, std::uint16_t attr)
{
    const auto tuple = entry.find(attr);
    if (!tuple)
        return std::nullopt;
    const auto ip = tuple->nested().find(CTA_TUPLE_IP);
    const auto proto = tuple->nested().find(CTA_TUPLE_PROTO);
    if (!ip || !proto)
        return std::nullopt;
    const auto source = address_in(ip->nested(), CTA_IP_V4_SRC, CTA_IP_V6_SRC);
    const auto destination = address_in(ip->nested(), CTA_IP_V4_DST, CTA_IP_V6_DST);
    const auto number = proto->nested().find(CTA_PROTO_NUM);
    if (!source || !destination || !number)
        return std::nullopt;
    return Tuple{.source = *source,
                 .destination = *destination,
                 .ip_protocol = number->u8(),
                 .source_port = port_in(proto->nested(), CTA_PROTO_SRC_PORT),
                 .destination_port = port_in(proto->nested(), CTA_PROTO_DST_PORT)};
}

// The same entry again: its original tuple as the kernel wrote it, its zone, and the id, so that
// one that has taken its place in the meantime is left alone.
Result<bool> delete_entry(NetlinkSocket &netfilter, Family family, const NetlinkAttrs &entry)
{
    NetlinkMessage request = ct_request(IPCTNL_MSG_CT_DELETE, family);
    for (const std::uint16_t attr : {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID}) {
        const auto found = entry.find(attr);
        if (!found)
            continue;
        const bool nested = attr == CTA_TUPLE_ORIG;
        request.put(static_cast<std::uint16_t>(attr | (nested ? NLA_F_NESTED : 0)), found->payload);
    }
    const auto deleted = netfilter.request(request, "delete a conntrack entry");
    if (!deleted && deleted.error().kind() == ErrorKind::kNotFound)
        return false;
    if (!deleted)
        return fail(deleted.error());
    return true;
}

NetlinkMessage dump_request(const FlowSelector &selector)
{
    NetlinkMessage request = ct_request(IPCTNL_MSG_CT_GET, selector.family);
    request.nest(CTA_TUPLE_ORIG, [&] {
        request.nest(CTA_TUPLE_PROTO, [&] {
            request.put_u8(CTA_PROTO_NUM, selector.ip_protocol);
            request.put_u16_be(CTA_PROTO_DST_PORT, selector.destination_port);
        });
    });
    request.nest(CTA_FILTER, [&] {
        request.put_u32(CTA_FILTER_ORIG_FLAGS, kFilterProtocol | kFilterDestinationPort);
        request.put_u32(CTA_FILTER_REPLY_FLAGS, 0);
    });
    return request;
}

// Walking the table costs about 10 ms with 262,144 buckets, full or not; its size costs one
// question. No answer is taken for no.
bool is_empty(NetlinkSocket &netfilter)
{
    NetlinkMessage request = ct_request(IPCTNL_MSG_CT_GET_STATS, Family::kIpv4);
    bool empty = false;
    const auto asked =
        netfilter.query(request, "count conntrack entries", [&](const NetlinkReply &reply) {
            const auto count = reply.attrs<nfgenmsg>().find(CTA_STATS_GLOBAL_ENTRIES);
            empty = count && count->u32_be() == 0;
        });
    return asked && empty;
}

constexpr std::uint8_t kTcp = 6;
constexpr std::size_t kFlowsAtOnce = 32;

// How an entry of nf_conntrack_tcp is to be changed: the bits of `mask` become those of `flags`.
// Source: struct nf_ct_tcp_flags of include/uapi/linux/netfilter/nf_conntrack_tcp.h.
struct TcpFlags {
    std::uint8_t flags;
    std::uint8_t mask;
};
constexpr std::uint8_t kBeLiberal = 0x08;  // IP_CT_TCP_FLAG_BE_LIBERAL

void put_address(NetlinkMessage &request, const IpAddr &address, std::uint16_t v4, std::uint16_t v6)
{
    request.put(address.family() == Family::kIpv4 ? v4 : v6, address.bytes_be());
}

// IPCTNL_MSG_CT_NEW without NLM_F_CREATE changes an entry that is there.
NetlinkMessage any_window_request(const TrackedFlow &flow)
{
    NetlinkMessage request = ct_request(IPCTNL_MSG_CT_NEW, flow.destination.family());
    request.nest(CTA_TUPLE_ORIG, [&] {
        request.nest(CTA_TUPLE_IP, [&] {
            put_address(request, flow.source, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
            put_address(request, flow.destination, CTA_IP_V4_DST, CTA_IP_V6_DST);
        });
        request.nest(CTA_TUPLE_PROTO, [&] {
            request.put_u8(CTA_PROTO_NUM, kTcp);
            request.put_u16_be(CTA_PROTO_SRC_PORT, flow.source_port);
            request.put_u16_be(CTA_PROTO_DST_PORT, flow.destination_port);
        });
    });
    const std::array<std::uint8_t, sizeof(TcpFlags)> flags = {kBeLiberal, kBeLiberal};
    request.nest(CTA_PROTOINFO, [&] {
        request.nest(CTA_PROTOINFO_TCP, [&] {
            request.put(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, flags);
            request.put(CTA_PROTOINFO_TCP_FLAGS_REPLY, flags);
        });
    });
    return request;
}

bool is_translated(const NetlinkAttrs &entry)
{
    const auto status = entry.find(CTA_STATUS);
    return status && (status->u32_be() & IPS_DST_NAT) != 0;
}

// TCP flows whose destination was translated.
Result<std::vector<TrackedFlow>> translated_flows(Family family)
{
    TORTIE_TRY(NetlinkSocket netfilter, NetlinkSocket::open(NETLINK_NETFILTER));
    NetlinkMessage request = ct_request(IPCTNL_MSG_CT_GET, family);
    std::vector<TrackedFlow> flows;
    const auto note = [&](const NetlinkReply &reply) {
        const NetlinkAttrs entry = reply.attrs<nfgenmsg>();
        const auto original = read_tuple(entry, CTA_TUPLE_ORIG);
        if (original && original->ip_protocol == kTcp && is_translated(entry))
            flows.push_back({.source = original->source,
                             .destination = original->destination,
                             .source_port = original->source_port,
                             .destination_port = original->destination_port,
                             .reply_source = {},
                             .reply_source_port = 0});
    };
    TORTIE_DO(netfilter.dump(
        request, "list conntrack entries", [&] { flows.clear(); }, note));
    return flows;
}

}  // namespace

Result<std::size_t> accept_any_window(std::span<const TrackedFlow> flows)
{
    TORTIE_TRY(NetlinkSocket netfilter, NetlinkSocket::open(NETLINK_NETFILTER));
    std::size_t count = 0;
    while (!flows.empty()) {
        const auto some = flows.first(std::min(flows.size(), kFlowsAtOnce));
        std::vector<NetlinkMessage> requests;
        requests.reserve(some.size());
        for (const TrackedFlow &flow : some)
            requests.push_back(any_window_request(flow));
        constexpr const char *kDoing = "let conntrack take packets of any window";
        TORTIE_TRY(const auto errors, request_all(netfilter, requests, kDoing));
        for (const int err : errors) {
            if (err != 0 && err != ENOENT)
                return fail_errno(err, kDoing);
            count += err == 0 ? 1U : 0U;
        }
        flows = flows.subspan(some.size());
    }
    return count;
}

Result<std::size_t> accept_any_window_of_translated()
{
    TORTIE_TRY(auto flows, translated_flows(Family::kIpv4));
    TORTIE_TRY(const auto ipv6, translated_flows(Family::kIpv6));
    flows.insert(flows.end(), ipv6.begin(), ipv6.end());
    return accept_any_window(flows);
}

Result<std::size_t> delete_flows(const FlowSelector &selector,
                                 const std::function<bool(const TrackedFlow &)> &which)
{
    TORTIE_TRY(NetlinkSocket reader, NetlinkSocket::open(NETLINK_NETFILTER));
    if (is_empty(reader))
        return std::size_t{0};
    // Its own socket: an answer to a deletion must not land among the dump's.
    TORTIE_TRY(NetlinkSocket writer, NetlinkSocket::open(NETLINK_NETFILTER));

    std::size_t count = 0;
    std::optional<Error> failed;
    const auto look_at = [&](const NetlinkReply &reply) {
        const NetlinkAttrs entry = reply.attrs<nfgenmsg>();
        const auto original = read_tuple(entry, CTA_TUPLE_ORIG);
        const auto answer = read_tuple(entry, CTA_TUPLE_REPLY);
        if (failed || !original || !answer || original->ip_protocol != selector.ip_protocol ||
            original->destination_port != selector.destination_port ||
            original->destination.family() != selector.family)
            return;
        if (!which({.source = original->source,
                    .destination = original->destination,
                    .source_port = original->source_port,
                    .destination_port = original->destination_port,
                    .reply_source = answer->source,
                    .reply_source_port = answer->source_port}))
            return;
        if (auto deleted = delete_entry(writer, selector.family, entry); !deleted)
            failed = std::move(deleted).error();
        else
            count += *deleted ? 1U : 0U;
    };
    NetlinkMessage request = dump_request(selector);
    TORTIE_DO(reader.dump(
        request, "list conntrack entries", [] {}, look_at));
    if (failed)
        return fail(*std::move(failed));
    return count;
}

}  // namespace tortie
