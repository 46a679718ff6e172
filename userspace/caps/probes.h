// SPDX-License-Identifier: Apache-2.0
//
// One function a capability: uses it once and says what came of it. All run in the process that
// Scratch::enter() was called in.
#pragma once

#include "caps/capability.h"
#include "caps/scratch.h"

namespace tortie::caps {

// probe_maps.cc
Finding probe_bpf_syscall(const Scratch &);
Finding probe_memlock(const Scratch &);
Finding probe_memcg_charging(const Scratch &);
Finding probe_global_data(const Scratch &);
Finding probe_lru_hash(const Scratch &);
Finding probe_ring_buffer(const Scratch &);

// probe_programs.cc
Finding probe_sched_cls(const Scratch &);
Finding probe_redirect_peer(const Scratch &);
Finding probe_redirect_neigh(const Scratch &);
Finding probe_fib_lookup(const Scratch &);
Finding probe_jiffies64(const Scratch &);
Finding probe_kernel_read(const Scratch &);
Finding probe_cgroup_connect(const Scratch &);
Finding probe_cgroup_sendmsg(const Scratch &);
Finding probe_cgroup_recvmsg(const Scratch &);
Finding probe_cgroup_getpeername(const Scratch &);
Finding probe_netns_cookie(const Scratch &);

// probe_kfuncs.cc
Finding probe_ct_kfuncs(const Scratch &);

// probe_places.cc
Finding probe_clsact(const Scratch &);
Finding probe_cls_bpf(const Scratch &);
Finding probe_tcx_link(const Scratch &);
Finding probe_cgroup_link(const Scratch &);
Finding probe_netkit(const Scratch &);

// probe_netfilter.cc
Finding probe_nft_map(const Scratch &);
Finding probe_nft_netdev(const Scratch &);
Finding probe_iptables_nft(const Scratch &);
Finding probe_iptables_legacy(const Scratch &);
Finding probe_conntrack_netlink(const Scratch &);

// probe_files.cc; the first one is asked in the node's own mount namespace, too
Finding look_for_bpffs();
Finding probe_bpffs(const Scratch &);
Finding probe_bpffs_mounted(const Scratch &);
Finding probe_kernel_btf(const Scratch &);
Finding probe_module_btf(const Scratch &);
Finding probe_cgroup2(const Scratch &);
Finding probe_openat2(const Scratch &);
Finding probe_no_lockdown(const Scratch &);

}  // namespace tortie::caps
