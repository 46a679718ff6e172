// SPDX-License-Identifier: Apache-2.0
//
// Programs and what they may call. The verifier answers, nothing is run.
#include <array>
#include <string>
#include <utility>

#include "caps/bpf_call.h"
#include "caps/judge.h"
#include "caps/probes.h"

namespace tortie::caps {
namespace {

using bpf::Code;

// A program that hooks into the calls of a cgroup's processes says 1: go on.
Code go_on()
{
    return {bpf::set(BPF_REG_0, 1), bpf::leave()};
}

Finding load_sched_cls(std::string_view what, const Code &code)
{
    return judge(
        "BPF_PROG_LOAD sched_cls" + std::string(what),
        bpf::load_program({.type = BPF_PROG_TYPE_SCHED_CLS, .code = code, .type_fds = {}}));
}

struct CgroupHook {
    std::string_view name;
    bpf_attach_type type;
};

// IPv4 and IPv6: both or it is no yes.
Finding load_hooks(std::array<CgroupHook, 2> hooks)
{
    Finding finding;
    for (const CgroupHook &hook : hooks) {
        finding = judge("BPF_PROG_LOAD cgroup_sock_addr, " + std::string(hook.name),
                        bpf::load_program({.type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                                           .attach_type = hook.type,
                                           .code = go_on(),
                                           .type_fds = {}}));
        if (finding.support != Support::kYes)
            break;
    }
    return finding;
}

}  // namespace

Finding probe_sched_cls(const Scratch &)
{
    return load_sched_cls("", {bpf::set(BPF_REG_0, 0), bpf::leave()});
}

Finding probe_redirect_peer(const Scratch &)
{
    return load_sched_cls(" with bpf_redirect_peer",
                          {bpf::set(BPF_REG_1, kLoIfindex), bpf::set(BPF_REG_2, 0),
                           bpf::call_helper(BPF_FUNC_redirect_peer), bpf::leave()});
}

// Without a next hop of the caller's; that it may hand one over came with the same release.
Finding probe_redirect_neigh(const Scratch &)
{
    return load_sched_cls(
        " with bpf_redirect_neigh",
        {bpf::set(BPF_REG_1, kLoIfindex), bpf::set(BPF_REG_2, 0), bpf::set(BPF_REG_3, 0),
         bpf::set(BPF_REG_4, 0), bpf::call_helper(BPF_FUNC_redirect_neigh), bpf::leave()});
}

Finding probe_fib_lookup(const Scratch &)
{
    constexpr std::int16_t kBytes = sizeof(bpf_fib_lookup);
    Code code;
    for (std::int16_t off = -kBytes; off < 0; off = static_cast<std::int16_t>(off + 8))
        code.push_back(bpf::store_zero(BPF_REG_10, off));
    code.insert(code.end(),
                {bpf::copy(BPF_REG_2, BPF_REG_10), bpf::add(BPF_REG_2, -kBytes),
                 bpf::set(BPF_REG_3, kBytes), bpf::set(BPF_REG_4, 0),
                 bpf::call_helper(BPF_FUNC_fib_lookup), bpf::set(BPF_REG_0, 0), bpf::leave()});
    return load_sched_cls(" with bpf_fib_lookup", code);
}

Finding probe_jiffies64(const Scratch &)
{
    return load_sched_cls(" with bpf_jiffies64", {bpf::call_helper(BPF_FUNC_jiffies64),
                                                  bpf::set(BPF_REG_0, 0), bpf::leave()});
}

// What lockdown=confidentiality takes away. Nothing is read: the program is not run.
Finding probe_kernel_read(const Scratch &)
{
    constexpr std::int32_t kBytes = 8;
    return load_sched_cls(
        " with bpf_probe_read_kernel",
        {bpf::copy(BPF_REG_1, BPF_REG_10), bpf::add(BPF_REG_1, -kBytes),
         bpf::set(BPF_REG_2, kBytes), bpf::set(BPF_REG_3, 0),
         bpf::call_helper(BPF_FUNC_probe_read_kernel), bpf::set(BPF_REG_0, 0), bpf::leave()});
}

Finding probe_cgroup_connect(const Scratch &)
{
    return load_hooks({{{"connect4", BPF_CGROUP_INET4_CONNECT},  //
                        {"connect6", BPF_CGROUP_INET6_CONNECT}}});
}

Finding probe_cgroup_sendmsg(const Scratch &)
{
    return load_hooks({{{"sendmsg4", BPF_CGROUP_UDP4_SENDMSG},  //
                        {"sendmsg6", BPF_CGROUP_UDP6_SENDMSG}}});
}

Finding probe_cgroup_recvmsg(const Scratch &)
{
    return load_hooks({{{"recvmsg4", BPF_CGROUP_UDP4_RECVMSG},  //
                        {"recvmsg6", BPF_CGROUP_UDP6_RECVMSG}}});
}

Finding probe_cgroup_getpeername(const Scratch &)
{
    return load_hooks({{{"getpeername4", BPF_CGROUP_INET4_GETPEERNAME},  //
                        {"getpeername6", BPF_CGROUP_INET6_GETPEERNAME}}});
}

Finding probe_netns_cookie(const Scratch &)
{
    const Code code{bpf::call_helper(BPF_FUNC_get_netns_cookie), bpf::set(BPF_REG_0, 1),
                    bpf::leave()};
    return judge("BPF_PROG_LOAD cgroup_sock_addr with bpf_get_netns_cookie",
                 bpf::load_program({.type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                                    .attach_type = BPF_CGROUP_INET4_CONNECT,
                                    .code = code,
                                    .type_fds = {}}));
}

}  // namespace tortie::caps
