// SPDX-License-Identifier: Apache-2.0
//
// bpf/portmap.bpf.c, loaded for one test, and its maps in the words of a test.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/netns.h"
#include "portmap.skel.h"
#include "shared/portmap_counters.h"
#include "shared/portmap_types.h"

namespace tortie::test {

using Bytes = std::vector<std::uint8_t>;

// TCP and UDP.
inline constexpr std::array<std::uint8_t, 2> kTransports = {6, 17};

// An address as the maps hold it, from its text.
struct MapAddress {
    explicit MapAddress(const std::string &text);

    std::uint32_t words_be[4];
};

struct Mapping {
    std::string node;  // "0.0.0.0" or "::" for any address
    std::uint16_t port = 0;
    std::uint8_t l4_proto = 0;
    std::string pod;
    std::uint16_t pod_port = 0;
};

struct Verdict {
    int action = 0;  // TC_ACT_*
    Bytes packet;    // as it came out
};

class PortmapObject {
public:
    PortmapObject();

    bool loaded() const { return skeleton_ != nullptr; }
    tt_portmap &skeleton() const { return *skeleton_; }
    pm_state &state() const { return skeleton_->bss->tt_pm_state; }
    std::uint64_t counted(pm_count what) const;
    std::vector<std::uint64_t> counters() const;

    void add_uplink(unsigned ifindex, std::uint32_t mtu = 1500, std::uint32_t flags = 0) const;
    void add_pod(const std::string &address, unsigned ifindex, std::uint32_t mtu = 1500,
                 std::uint32_t flags = TORTIE_PM_MAY_ADOPT) const;
    // add_pod() comes first.
    void publish(const Mapping &mapping, std::uint32_t flags = TORTIE_PM_MAY_ADOPT) const;
    void withdraw_pod(const std::string &address) const;

    // Both directions of a flow as if a program had put it there just now.
    struct Flow {
        std::uint8_t l4_proto = 0;
        std::string client;
        std::uint16_t client_port = 0;
        Mapping mapping;  // `node` is the address that the client asked for
        std::uint8_t mode = TORTIE_PM_ADOPTED;
        unsigned uplink = 1;  // loopback, where BPF_PROG_TEST_RUN's packets come by
        unsigned veth = 1;
        std::uint16_t mtu = 1500;
    };
    void insert(const Flow &flow) const;

    // Entries of both flow tables.
    std::size_t flows() const;
    void flush_flows() const;

    // Whether this kernel's conntrack can be asked.
    bool can_adopt() const;

    // Looks at flows come once a second, not at every packet.
    void look_once_a_second() const;
    std::uint32_t now_jiffies() const;

    // The program on one packet that came by a device of the namespace this runs in; 0: loopback.
    Verdict run(const bpf_program *program, const Bytes &packet, unsigned ifindex = 0,
                std::uint32_t gso_bytes = 0) const;

private:
    struct Destroy {
        void operator()(tt_portmap *skeleton) const { tt_portmap::destroy(skeleton); }
    };

    std::unique_ptr<tt_portmap, Destroy> skeleton_;
};

// The hardware address of a device of the namespace this runs in.
std::array<std::uint8_t, 6> mac_of(const std::string &device);

// How to attach; the best is tcx where the kernel has it.
enum class Way { kBest, kTcx, kClsact };

bool has_tcx();

enum class Side { kIngress, kEgress };

// The program at a device in a namespace, behind those that are there, as long as the device lives.
void attach(const Netns &where, const bpf_program *program, const std::string &device, Way way,
            Side side = Side::kIngress);

}  // namespace tortie::test
