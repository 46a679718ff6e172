// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Keys and values of the port mapping's maps, the contract between bpf/portmap.bpf.c and
// userspace/loader. There is no second copy of these structs anywhere.
//
// Addresses are 16 bytes in network order (as four words, so that programs copy them by words),
// IPv4 v4-mapped (::ffff:a.b.c.d), except in the flow table of IPv4. `_be` is network order, no
// suffix is the host's. Every hole is a named `pad` that the writer sets to zero, because a hash
// map compares keys byte by byte. Times called jiffies are the low 32 bits of the kernel's
// jiffies64; they wrap, so only differences mean something.
//
// WHO WRITES WHAT. "The lock" is the loader's node lock, one per node and ABI.
//   tt_pm_hostport, tt_pm_podport, tt_pm_pod, tt_pm_uplink   userspace, under the lock; in pods and
//       uplinks the programs write the fields marked so, in place and without a lock
//   the bits and the epochs of struct pm_state               userspace, by atomic operations on the
//       memory of the map (mmap), the bits under the lock; the other words whenever it likes. The
//       programs add to epochs, too, when something appears at a veth
//   flow tables, half-open tables, damper, tt_pm_local       the programs; userspace only reads,
//       and deletes flows
//   tt_pm_count, tt_pm_events                                the programs
//
// PUBLISH, in this order: tt_pm_uplink; tt_pm_pod with a generation never used before;
// tt_pm_podport; tt_pm_hostport; the bits of both ports; attach tt_pm_reply at the pod's host veth.
// A packet of a mapping that is half there goes to netfilter. Without tcx, attaching means a clsact
// qdisc, and with one on the veth `tc qdisc add ... ingress` fails (EEXIST), which is what the
// plugin bandwidth does after portmap in the same ADD: there, attach at a later call of ours.
//
// WITHDRAW, in this order: delete tt_pm_pod (from here on nothing new is taken for it); one more in
// its epoch (from here on the next packet of each of its flows sees that the pod is gone: this one
// write is the withdrawal, however many flows there are); tt_pm_hostport; tt_pm_podport; the
// bits that no other entry needs. Flow entries may stay: they are never used again and age out.
//
// SWITCH OFF without losing a flow: no_adopt = 1; set BE_LIBERAL by ctnetlink on the conntrack
// entry of every flow of the table with mode TORTIE_PM_ADOPTED, dir TORTIE_PM_FORWARD and protocol
// TCP, whose original tuple is the flow's key; off = 1; then detach. Never delete conntrack
// entries. SWITCH ON: off = 0, no_adopt = 0; entries that are left in the table are looked at
// before they carry, because their last look is too long ago.
#pragma once

#include "abi.h"
#include "layout.h"

// Which packets a host port catches.
struct pm_hostport_key {
    __u32 addr_be[4];  // node address; ::ffff:0.0.0.0 any IPv4 address, :: any IPv6 address of the
                       // node. An exact address goes before any
    __u16 port_be;     // 1..65535
    __u8 l4_proto;     // IPPROTO_TCP or IPPROTO_UDP; SCTP is netfilter's
    __u8 pad;
};

// Where they go.
struct pm_hostport {
    __u32 pod_addr_be[4];  // of the key's family
    __u16 pod_port_be;
    __u16 flags;       // TORTIE_PM_MAY_*
    __u32 generation;  // that of the pod in tt_pm_pod; another one there: not taken
};

// What BPF may do with a mapping, a pod or a pod's port. A mapping with conditions, with marks of
// its own, or to a pod that something must be looked at for, carries none.
#define TORTIE_PM_MAY_ADOPT (1u << 0)  // carry flows that conntrack has accepted
#define TORTIE_PM_MAY_FULL (1u << 1)   // take flows from their first packet, while pm_state.full
#define TORTIE_PM_MAY_LOCAL (1u << 2)  // translate connect() of the node's processes to loopback

// A mapped port of a pod; looked up for what the pod sends.
struct pm_podport_key {
    __u32 addr_be[4];
    __u16 port_be;
    __u8 l4_proto;
    __u8 pad;
};

struct pm_podport {
    __u32 flags;  // TORTIE_PM_MAY_*
};

// A pod with mapped ports, by each of its addresses.
struct pm_pod_key {
    __u32 addr_be[4];
};

struct pm_pod {
    __u32 ifindex;      // the node's end of its veth, in the node's network namespace
    __u32 generation;   // pm_state.last_generation + 1, taken atomically
    __u32 flags;        // TORTIE_PM_MAY_*: the flags of a mapping count only with these
    __u32 mtu;          // of the veth; tt_pm_reply keeps it right
    __u32 own_ingress;  // how many programs (tcx) or filters (clsact) at the ingress of the veth
                        // are ours; one more means that somebody must see what the pod sends
    __u32 looked;       // written by tt_pm_reply: jiffies of its last look at the veth, 0 never
    __u32 obstacles;    // written by tt_pm_reply: TORTIE_PM_OBSTACLE_* found then
    __u32 pad;
};

// A device of the node that clients may come by: Ethernet, with tt_pm_ingress at its ingress.
struct pm_uplink {
    __u32 mtu;          // tt_pm_ingress keeps it right
    __u32 flags;        // TORTIE_PM_UPLINK_*
    __u32 own_ingress;  // as in pm_pod
    __u32 looked;       // written by tt_pm_ingress, as in pm_pod
    __u32 obstacles;    // written by tt_pm_ingress
    __u32 pad;
};

// rp_filter is not 1 there (the greater of `all` and the device's own counts), so the kernel lets
// IPv4 sources in whose answers leave by another device.
#define TORTIE_PM_UPLINK_LOOSE (1u << 0)

// What stands at a device and must see packets that BPF would carry past it.
#define TORTIE_PM_OBSTACLE_QUEUE (1u << 0)       // an egress qdisc that queues: a shaper
#define TORTIE_PM_OBSTACLE_EGRESS (1u << 1)      // a tcx program or tc filter at egress
#define TORTIE_PM_OBSTACLE_INGRESS (1u << 2)     // one at ingress that is not ours
#define TORTIE_PM_OBSTACLE_NF_INGRESS (1u << 3)  // nft netdev ingress, a flowtable
#define TORTIE_PM_OBSTACLE_NF_EGRESS (1u << 4)   // nft netdev egress
#define TORTIE_PM_OBSTACLE_HANDLER (1u << 5)     // bridge port, macvlan, bond slave

// Those that a packet meets when it goes out by the veth. A TCP flow that was there before them
// does so from then on (TORTIE_PM_BY_THE_VETH): conntrack could not take it back.
#define TORTIE_PM_OBSTACLES_ON_THE_WAY \
    (TORTIE_PM_OBSTACLE_QUEUE | TORTIE_PM_OBSTACLE_EGRESS | TORTIE_PM_OBSTACLE_NF_EGRESS)

// Key of a flow as the packet shows it, before its addresses are changed.
struct pm_tuple4 {
    __u32 src_be;
    __u32 dst_be;
    __u16 src_port_be;
    __u16 dst_port_be;
    __u8 l4_proto;
    __u8 dir;  // TORTIE_PM_FORWARD: client to node; TORTIE_PM_REPLY: pod to client
    __u16 pad;
};

struct pm_tuple6 {
    __u32 src_be[4];
    __u32 dst_be[4];
    __u16 src_port_be;
    __u16 dst_port_be;
    __u8 l4_proto;
    __u8 dir;
    __u16 pad;
};

#define TORTIE_PM_FORWARD 0
#define TORTIE_PM_REPLY 1

// One direction of a flow, the part that both families share.
struct pm_flow {
    __u32 in_ifindex;   // packets of this direction come by this device
    __u32 out_ifindex;  // forward: the pod's veth; reply: the uplink
    __u32 addr_diff;    // checksum difference of the address
    __u32 port_diff;    // and of the port
    __u32 looked;       // jiffies of the last look at conntrack and pod
    __u32 epoch;        // pm_state.epochs[epoch_slot] at that look
    __u32 generation;   // of the pod
    __u32 born;         // jiffies when the entry was made
    __u16 port_be;      // forward: the new destination port; reply: the new source port
    __u16 epoch_slot;
    __u16 mtu;   // largest IP packet that may go out, 65535 at most
    __u8 mode;   // TORTIE_PM_ADOPTED or TORTIE_PM_FULL
    __u8 flags;  // TORTIE_PM_CLOSING_*, TORTIE_PM_BY_THE_VETH
};

#define TORTIE_PM_ADOPTED 1
#define TORTIE_PM_FULL 2

#define TORTIE_PM_CLOSING_FIN (1u << 0)   // this side sent a FIN
#define TORTIE_PM_CLOSING_BOTH (1u << 1)  // both did: conntrack's entry is left to end
#define TORTIE_PM_CLOSING_RST (1u << 2)   // an RST was seen; taken back when packets still follow
#define TORTIE_PM_CLOSING (TORTIE_PM_CLOSING_FIN | TORTIE_PM_CLOSING_BOTH | TORTIE_PM_CLOSING_RST)
#define TORTIE_PM_BY_THE_VETH (1u << 7)  // forward: out by the veth, not past it; see OBSTACLES

struct pm_flow4 {
    struct pm_flow common;
    __u32 addr_be;     // the new address; v4
    __u32 nexthop_be;  // reply: where the packet goes next
};

struct pm_flow6 {
    struct pm_flow common;
    __u32 addr_be[4];
    __u32 nexthop_be[4];
};

// UDP flows that conntrack refused again and again: asked about less often. An array indexed by a
// hash of the tuple.
struct pm_damper {
    __u32 tag;      // the rest of the hash
    __u16 refused;  // times in a row
    __u16 asked;    // jiffies, the low 16 bits
};

// What a process of the node asked for, by socket and by the address it was given instead.
struct pm_local_key {
    __u64 socket_cookie;
    __u32 addr_be[4];
    __u16 port_be;
    __u8 l4_proto;
    __u8 pad[5];
};

struct pm_local {
    __u32 addr_be[4];
    __u16 port_be;
    __u16 pad;
};

// Control words, port bits and epochs: the only variable of the object's .bss, so this is the value
// of that one-element map. It can be mapped: mmap() the map's descriptor and use atomic operations.
// All zero means: nothing is mapped, adopt, look at every packet, default timeouts.
struct pm_state {
    __u32 off;              // not 0: the programs touch nothing, every packet goes to netfilter
    __u32 no_adopt;         // not 0: no new flow enters the tables; those in them are carried on
    __u32 full;             // not 0: TORTIE_PM_MAY_FULL counts
    __u32 interval;         // jiffies between two looks, the kernel's HZ; 0: look at every packet
    __u32 last_generation;  // the last one given to a pod, by userspace
    __u32 marked;           // for userspace: jiffies up to which adopted TCP flows are BE_LIBERAL
    __u32 sample;           // one event in so many is sent to tt_pm_events; 0: none
    // Milliseconds that are written back to conntrack, from /proc/sys/net/netfilter/; 0: the
    // kernel's defaults, which stand behind each.
    __u32 tcp_established_ms;  // nf_conntrack_tcp_timeout_established, 432000000
    __u32 tcp_fin_ms;          // nf_conntrack_tcp_timeout_fin_wait, 120000
    __u32 tcp_close_ms;        // nf_conntrack_tcp_timeout_close, 10000
    __u32 udp_stream_ms;       // nf_conntrack_udp_timeout_stream, 120000
    __u32 can_adopt;           // written by tt_pm_clock: not 0 when conntrack can be asked. Decided
                               // when the object was loaded: its module has to be there before
    __u64 node_netns;  // cookie of the node's network namespace (SO_NETNS_COOKIE), whose processes'
                       // connect() is translated; 0: the initial namespace
    __u64 jiffies;     // written by tt_pm_clock: jiffies64
    __u64 monotonic_ns;  // written by tt_pm_clock: CLOCK_MONOTONIC at that moment
    // One bit a port, [0] TCP and [1] UDP: bit (port % 64) of word (port / 64). A bit that is clear
    // stops the carrying of that port at once, and is what a foreign packet pays for.
    __u64 hostport_bits[2][1024];  // host ports of tt_pm_hostport
    __u64 podport_bits[2][1024];   // pods' ports of tt_pm_podport
    // One more in epochs[ifindex % TORTIE_PM_EPOCHS] makes the flows of the pod at that veth (and
    // of its neighbours in the slot, which is harmless) be looked at before their next packet.
    __u32 epochs[TORTIE_PM_EPOCHS];
};

// What tt_pm_events carries: one in pm_state.sample of the things that happen to flows.
struct pm_event {
    __u64 monotonic_ns;
    struct pm_tuple6 tuple;
    __u32 ifindex;
    __u16 what;  // enum pm_count
    __u16 pad;
};

TORTIE_ASSERT_SIZE(struct pm_hostport_key, 20);
TORTIE_ASSERT_SIZE(struct pm_hostport, 24);
TORTIE_ASSERT_SIZE(struct pm_podport_key, 20);
TORTIE_ASSERT_SIZE(struct pm_podport, 4);
TORTIE_ASSERT_SIZE(struct pm_pod_key, 16);
TORTIE_ASSERT_SIZE(struct pm_pod, 32);
TORTIE_ASSERT_SIZE(struct pm_uplink, 24);
TORTIE_ASSERT_SIZE(struct pm_tuple4, 16);
TORTIE_ASSERT_SIZE(struct pm_tuple6, 40);
TORTIE_ASSERT_SIZE(struct pm_flow, 40);
TORTIE_ASSERT_SIZE(struct pm_flow4, 48);
TORTIE_ASSERT_SIZE(struct pm_flow6, 72);
TORTIE_ASSERT_SIZE(struct pm_damper, 8);
TORTIE_ASSERT_SIZE(struct pm_local_key, 32);
TORTIE_ASSERT_SIZE(struct pm_local, 20);
TORTIE_ASSERT_SIZE(struct pm_event, 56);
TORTIE_ASSERT_SIZE(struct pm_state, 72 + 4 * 8192 + 4 * TORTIE_PM_EPOCHS);
TORTIE_ASSERT_AT(struct pm_hostport, generation, 20);
TORTIE_ASSERT_AT(struct pm_flow, flags, 39);
TORTIE_ASSERT_AT(struct pm_state, node_netns, 48);
TORTIE_ASSERT_AT(struct pm_state, hostport_bits, 72);
TORTIE_ASSERT_AT(struct pm_state, epochs, 72 + 4 * 8192);
TORTIE_ASSERT_POD(pm_hostport_key);
TORTIE_ASSERT_POD(pm_hostport);
TORTIE_ASSERT_POD(pm_podport_key);
TORTIE_ASSERT_POD(pm_pod_key);
TORTIE_ASSERT_POD(pm_pod);
TORTIE_ASSERT_POD(pm_uplink);
TORTIE_ASSERT_POD(pm_tuple4);
TORTIE_ASSERT_POD(pm_tuple6);
TORTIE_ASSERT_POD(pm_flow4);
TORTIE_ASSERT_POD(pm_flow6);
TORTIE_ASSERT_POD(pm_damper);
TORTIE_ASSERT_POD(pm_local_key);
TORTIE_ASSERT_POD(pm_local);
TORTIE_ASSERT_POD(pm_event);
TORTIE_ASSERT_POD(pm_state);
