// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Carries the packets of mapped ports between the uplink and the pod. docs/datapath.md follows one
// packet and its answer through here; shared/portmap_types.h is the contract with userspace.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "portmap/carry.h"
#include "portmap/local.h"

// Ingress of an uplink: what clients send.
SEC("tc")
int tt_pm_ingress(struct __sk_buff *skb)
{
    if (skb->protocol == bpf_htons(ETH_P_IP))
        return carry(skb, false, TORTIE_PM_FORWARD);
    if (skb->protocol == bpf_htons(ETH_P_IPV6))
        return carry(skb, true, TORTIE_PM_FORWARD);
    return TC_ACT_UNSPEC;
}

// Ingress of the node's end of a pod's veth: what the pod sends.
SEC("tc")
int tt_pm_reply(struct __sk_buff *skb)
{
    if (skb->protocol == bpf_htons(ETH_P_IP))
        return carry(skb, false, TORTIE_PM_REPLY);
    if (skb->protocol == bpf_htons(ETH_P_IPV6))
        return carry(skb, true, TORTIE_PM_REPLY);
    return TC_ACT_UNSPEC;
}

// Hooks of a cgroup, usually the root: connect() and sendmsg() of the node's processes to loopback,
// and what they are told afterwards. Each is optional.
SEC("cgroup/connect4")
int tt_pm_connect4(struct bpf_sock_addr *asked)
{
    return translate4(asked, false);
}

SEC("cgroup/sendmsg4")
int tt_pm_sendmsg4(struct bpf_sock_addr *asked)
{
    return translate4(asked, false);
}

SEC("cgroup/recvmsg4")
int tt_pm_recvmsg4(struct bpf_sock_addr *asked)
{
    return translate4(asked, true);
}

SEC("cgroup/getpeername4")
int tt_pm_peer4(struct bpf_sock_addr *asked)
{
    return translate4(asked, true);
}

SEC("cgroup/connect6")
int tt_pm_connect6(struct bpf_sock_addr *asked)
{
    return translate6(asked, false);
}

SEC("cgroup/sendmsg6")
int tt_pm_sendmsg6(struct bpf_sock_addr *asked)
{
    return translate6(asked, false);
}

SEC("cgroup/recvmsg6")
int tt_pm_recvmsg6(struct bpf_sock_addr *asked)
{
    return translate6(asked, true);
}

SEC("cgroup/getpeername6")
int tt_pm_peer6(struct bpf_sock_addr *asked)
{
    return translate6(asked, true);
}

// Never attached. Run once by BPF_PROG_TEST_RUN, it tells userspace whether flows can be adopted,
// and what the clock of the flow entries shows: from the two values follows the kernel's HZ, which
// is the right interval. jiffies64 is 2^32 - 300 HZ at boot.
SEC("tc")
int tt_pm_clock(struct __sk_buff *skb)
{
    (void)skb;
    tt_pm_state.can_adopt = can_ask_conntrack();
    tt_pm_state.jiffies = bpf_jiffies64();
    tt_pm_state.monotonic_ns = bpf_ktime_get_ns();
    return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
