// SPDX-License-Identifier: Apache-2.0
#include "sys/traffic_control.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>

#include "sys/netlink_batch.h"

namespace tortie {
namespace {

constexpr std::size_t kMessageBytes = 512;

std::uint32_t parent_of(TcHook hook)
{
    const std::uint32_t minor = hook == TcHook::kIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS;
    return TC_H_MAKE(TC_H_CLSACT, minor);
}

tcmsg at(int ifindex, TcHook hook)
{
    tcmsg header{};
    header.tcm_family = AF_UNSPEC;
    header.tcm_ifindex = ifindex;
    header.tcm_parent = parent_of(hook);
    return header;
}

tcmsg at(int ifindex, TcHook hook, TcSlot slot)
{
    tcmsg header = at(ifindex, hook);
    header.tcm_handle = slot.handle;
    header.tcm_info = TC_H_MAKE(static_cast<std::uint32_t>(slot.priority) << 16, htons(ETH_P_ALL));
    return header;
}

NetlinkMessage clsact_request(int ifindex)
{
    tcmsg header{};
    header.tcm_family = AF_UNSPEC;
    header.tcm_ifindex = ifindex;
    header.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    header.tcm_parent = TC_H_CLSACT;
    NetlinkMessage message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, kMessageBytes);
    message.put_header(header);
    message.put_string(TCA_KIND, "clsact");
    return message;
}

TcFilter read_filter(const NetlinkReply &reply)
{
    const auto header = reply.header<tcmsg>();
    const NetlinkAttrs attrs = reply.attrs<tcmsg>();
    TcFilter filter;
    filter.slot = {.priority = static_cast<std::uint16_t>(TC_H_MAJ(header.tcm_info) >> 16),
                   .handle = header.tcm_handle};
    if (const auto kind = attrs.find(TCA_KIND))
        filter.kind = kind->string();
    const auto options = attrs.find(TCA_OPTIONS);
    if (filter.kind != "bpf" || !options)
        return filter;
    if (const auto name = options->nested().find(TCA_BPF_NAME))
        filter.name = name->string();
    if (const auto id = options->nested().find(TCA_BPF_ID))
        filter.program_id = id->u32();
    return filter;
}

std::string place(int ifindex, TcHook hook)
{
    return std::string(hook == TcHook::kIngress ? "ingress" : "egress") + " of interface number " +
           std::to_string(ifindex);
}

}  // namespace

Result<std::vector<TcFilter>> list_tc_filters(NetlinkSocket &route, int ifindex, TcHook hook)
{
    NetlinkMessage message(RTM_GETTFILTER, 0, kMessageBytes);
    message.put_header(at(ifindex, hook));
    std::vector<TcFilter> filters;
    TORTIE_DO(route.dump(
        message, "list filters at " + place(ifindex, hook), [&] { filters.clear(); },
        [&](const NetlinkReply &reply) {
            // A bpf priority announces itself with handle 0 before its filters.
            TcFilter filter = read_filter(reply);
            if (reply.type == RTM_NEWTFILTER && (filter.kind != "bpf" || filter.slot.handle != 0))
                filters.push_back(std::move(filter));
        }));
    return filters;
}

Result<> put_bpf_filter(NetlinkSocket &route, int ifindex, TcHook hook, TcSlot slot, int program_fd,
                        std::string_view name, IfSlotTaken then)
{
    const int exists = then == IfSlotTaken::kReplace ? 0 : NLM_F_EXCL;
    NetlinkMessage filter(RTM_NEWTFILTER, static_cast<std::uint16_t>(NLM_F_CREATE | exists),
                          kMessageBytes);
    filter.put_header(at(ifindex, hook, slot));
    filter.put_string(TCA_KIND, "bpf");
    filter.nest(TCA_OPTIONS, [&] {
        filter.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(program_fd));
        filter.put_string(TCA_BPF_NAME, name);
        filter.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    });
    std::array requests = {clsact_request(ifindex), std::move(filter)};
    const std::string doing = "attach " + std::string(name) + " to " + place(ifindex, hook);
    TORTIE_TRY(const std::vector<int> errors, request_all(route, requests, doing));
    if (errors[1] == EEXIST)
        return fail(ErrorKind::kExists, doing + ": somebody else's filter is there");
    if (errors[1] == 0)
        return {};
    // Without its qdisc a filter fails with words that explain nothing.
    if (errors[0] == ENOENT)
        return fail(ErrorKind::kUnsupported, doing + ": the kernel has no clsact");
    if (errors[1] == ENOENT)
        return fail(ErrorKind::kUnsupported, doing + ": the kernel has no bpf filter");
    const int qdisc_error = errors[0] == EEXIST ? 0 : errors[0];
    return fail_errno(qdisc_error != 0 ? qdisc_error : errors[1], doing);
}

Result<> delete_tc_filter(NetlinkSocket &route, int ifindex, TcHook hook, TcSlot slot)
{
    NetlinkMessage message(RTM_DELTFILTER, 0, kMessageBytes);
    message.put_header(at(ifindex, hook, slot));
    message.put_string(TCA_KIND, "bpf");
    auto deleted = route.request(message, "detach from " + place(ifindex, hook));
    // EINVAL: there is no qdisc that could have it.
    if (!deleted && deleted.error().kind() != ErrorKind::kNotFound &&
        deleted.error().sys_errno() != EINVAL)
        return deleted;
    return {};
}

}  // namespace tortie
