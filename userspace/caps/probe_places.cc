// SPDX-License-Identifier: Apache-2.0
//
// Where programs are hung: at lo of the scratch namespace, and at a cgroup that is not there.
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <string>
#include <utility>

#include "caps/bpf_call.h"
#include "caps/judge.h"
#include "caps/probes.h"
#include "sys/link_pair.h"
#include "sys/netlink.h"

namespace tortie::caps {
namespace {

// include/uapi/linux/bpf.h of Linux 6.6; Debian 12's headers are older.
constexpr std::uint32_t kTcxIngress = 46;

Finding load_classifier(bpf::Tried &program)
{
    const bpf::Code code{bpf::set(BPF_REG_0, TC_ACT_UNSPEC), bpf::leave()};
    program = bpf::load_program({.type = BPF_PROG_TYPE_SCHED_CLS, .code = code, .type_fds = {}});
    return judge("BPF_PROG_LOAD sched_cls", program);
}

tcmsg at_lo(std::uint32_t parent)
{
    tcmsg header{};
    header.tcm_family = AF_UNSPEC;
    header.tcm_ifindex = kLoIfindex;
    header.tcm_parent = parent;
    return header;
}

Result<> request(NetlinkMessage &message, std::string_view doing)
{
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
    return socket.request(message, doing);
}

// Success when it is there already.
Result<> add_clsact()
{
    NetlinkMessage message(RTM_NEWQDISC, NLM_F_CREATE);
    tcmsg header = at_lo(TC_H_CLSACT);
    header.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    message.put_header(header);
    message.put_string(TCA_KIND, "clsact");
    return request(message, "RTM_NEWQDISC");
}

Result<> add_filter(int program_fd)
{
    constexpr std::uint32_t kPriority = 1;
    NetlinkMessage message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
    tcmsg header = at_lo(TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS));
    header.tcm_info = TC_H_MAKE(kPriority << 16, htons(ETH_P_ALL));
    message.put_header(header);
    message.put_string(TCA_KIND, "bpf");
    message.nest(TCA_OPTIONS, [&] {
        message.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(program_fd));
        message.put_string(TCA_BPF_NAME, "tt_probe");
        message.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    });
    return request(message, "RTM_NEWTFILTER");
}

Result<> add_netkit()
{
    const UniqueFd here(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!here.valid())
        return fail_errno(errno, "open /proc/self/ns/net");
    NetlinkMessage message = new_netkit({.here = {.name = "tt0", .mac = {}},
                                         .there = {.name = "tt1", .mac = {}},
                                         .there_netns_fd = here.get()});
    return request(message, "RTM_NEWLINK");
}

}  // namespace

// ENOENT: no qdisc of that kind is there or can be loaded.
Finding probe_clsact(const Scratch &scratch)
{
    if (scratch.network().support != Support::kYes)
        return scratch.network();
    return judge("qdisc clsact at lo", add_clsact(), {ErrorKind::kNotFound});
}

Finding probe_cls_bpf(const Scratch &scratch)
{
    if (Finding clsact = probe_clsact(scratch); clsact.support != Support::kYes)
        return clsact;
    bpf::Tried program;
    if (Finding load = load_classifier(program); load.support != Support::kYes)
        return load;
    return judge("filter bpf at lo's clsact", add_filter(program.fd.get()), {ErrorKind::kNotFound});
}

Finding probe_tcx_link(const Scratch &scratch)
{
    if (scratch.network().support != Support::kYes)
        return scratch.network();
    bpf::Tried program;
    if (Finding load = load_classifier(program); load.support != Support::kYes)
        return load;
    return judge("BPF_LINK_CREATE tcx at lo",
                 bpf::create_link(program.fd.get(), kLoIfindex, kTcxIngress));
}

// No cgroup is touched: a kernel that has such links looks for the cgroup, and says that the
// descriptor is none (EBADF); one that has not does not get that far.
Finding probe_cgroup_link(const Scratch &)
{
    const bpf::Code code{bpf::set(BPF_REG_0, 1), bpf::leave()};
    const bpf::Tried program = bpf::load_program({.type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                                                  .attach_type = BPF_CGROUP_INET4_CONNECT,
                                                  .code = code,
                                                  .type_fds = {}});
    if (program.err != 0)
        return judge("BPF_PROG_LOAD cgroup_sock_addr, connect4", program);
    constexpr int kNoCgroup = -1;
    const bpf::Tried link = bpf::create_link(program.fd.get(), kNoCgroup, BPF_CGROUP_INET4_CONNECT);
    if (link.err == EBADF)
        return {Support::kYes, "BPF_LINK_CREATE connect4 at no cgroup: EBADF, as it should"};
    return judge("BPF_LINK_CREATE connect4 at no cgroup", link);
}

// EOPNOTSUPP: no link of that kind is there or can be loaded.
Finding probe_netkit(const Scratch &scratch)
{
    if (scratch.network().support != Support::kYes)
        return scratch.network();
    return judge("link netkit", add_netkit());
}

}  // namespace tortie::caps
