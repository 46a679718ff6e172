// SPDX-License-Identifier: Apache-2.0
#include "prog/portmap_object.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <numeric>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/unique_fd.h"

namespace tortie::test {
namespace {

constexpr std::uint32_t kTableEntries = 4096;
// libbpf 1.1 has no names for these.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

template <class Key, class Value>
void put(const bpf_map *map, const Key &key, const Value &value)
{
    EXPECT_EQ(bpf_map__update_elem(map, &key, sizeof(key), &value, sizeof(value), BPF_ANY), 0)
        << bpf_map__name(map);
}

std::size_t count_entries(const bpf_map *map)
{
    std::array<std::uint8_t, sizeof(pm_tuple6)> key{};
    std::size_t entries = 0;
    const std::size_t size = bpf_map__key_size(map);

    for (const void *from = nullptr; bpf_map__get_next_key(map, from, key.data(), size) == 0;
         from = key.data())
        ++entries;
    return entries;
}

void set_bit(__u64 (&bits)[2][1024], std::uint8_t l4_proto, std::uint16_t port)
{
    bits[l4_proto == IPPROTO_UDP ? 1 : 0][port / 64] |= __u64{1} << (port % 64);
}

struct End {
    MapAddress address;
    std::uint16_t port_be;
};

// What a ones' complement sum has to be given when `from` becomes `to`.
std::uint32_t difference(const std::uint16_t *from, const std::uint16_t *to, std::size_t words)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < words; ++i)
        sum += static_cast<std::uint16_t>(~from[i]) + std::uint32_t{to[i]};
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

bool is_v4(const MapAddress &address)
{
    return address.words_be[0] == 0 && address.words_be[1] == 0 &&
           address.words_be[2] == htonl(0xffff);
}

// The entry that gives packets from `src` to `dst` the address `to`, as destination or as source.
void put_flow(const tt_portmap &skeleton, std::uint8_t l4_proto, std::uint8_t dir, const End &src,
              const End &dst, const End &to, pm_flow entry)
{
    const End &was = dir == TORTIE_PM_FORWARD ? dst : src;
    entry.port_be = to.port_be;
    entry.addr_diff = difference(reinterpret_cast<const std::uint16_t *>(was.address.words_be),
                                 reinterpret_cast<const std::uint16_t *>(to.address.words_be), 8);
    entry.port_diff = was.port_be == to.port_be ? 0 : difference(&was.port_be, &to.port_be, 1);
    if (is_v4(src.address)) {
        const pm_tuple4 key = {.src_be = src.address.words_be[3],
                               .dst_be = dst.address.words_be[3],
                               .src_port_be = src.port_be,
                               .dst_port_be = dst.port_be,
                               .l4_proto = l4_proto,
                               .dir = dir,
                               .pad = 0};
        put(skeleton.maps.tt_pm_flow4, key,
            pm_flow4{.common = entry, .addr_be = to.address.words_be[3], .nexthop_be = 0});
        return;
    }
    pm_tuple6 key{};
    pm_flow6 value{};
    value.common = entry;
    std::memcpy(key.src_be, src.address.words_be, sizeof(key.src_be));
    std::memcpy(key.dst_be, dst.address.words_be, sizeof(key.dst_be));
    std::memcpy(value.addr_be, to.address.words_be, sizeof(value.addr_be));
    key.src_port_be = src.port_be;
    key.dst_port_be = dst.port_be;
    key.l4_proto = l4_proto;
    key.dir = dir;
    put(skeleton.maps.tt_pm_flow6, key, value);
}

}  // namespace

MapAddress::MapAddress(const std::string &text) : words_be{}
{
    if (::inet_pton(AF_INET6, text.c_str(), words_be) == 1)
        return;
    words_be[2] = htonl(0xffff);
    EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), &words_be[3]), 1) << text;
}

PortmapObject::PortmapObject() : skeleton_(tt_portmap::open())
{
    if (!skeleton_)
        ADD_FAILURE() << "open: errno " << errno;
    if (!skeleton_)
        return;
    // Full-sized tables are most of the time that loading takes.
    for (bpf_map *table : {skeleton_->maps.tt_pm_flow4, skeleton_->maps.tt_pm_flow6,
                           skeleton_->maps.tt_pm_half4, skeleton_->maps.tt_pm_half6})
        bpf_map__set_max_entries(table, kTableEntries);
    const int failed = tt_portmap::load(skeleton_.get());
    EXPECT_EQ(failed, 0) << "load";
    if (failed != 0)
        skeleton_.reset();
}

std::vector<std::uint64_t> PortmapObject::counters() const
{
    const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
    std::vector<std::uint64_t> per_cpu(cpus);
    std::vector<std::uint64_t> sums;

    for (std::uint32_t what = 0; what < TORTIE_PM_COUNT_END; ++what) {
        EXPECT_EQ(bpf_map__lookup_elem(skeleton_->maps.tt_pm_count, &what, sizeof(what),
                                       per_cpu.data(), cpus * sizeof(per_cpu[0]), 0),
                  0);
        sums.push_back(std::accumulate(per_cpu.begin(), per_cpu.end(), std::uint64_t{0}));
    }
    return sums;
}

std::uint64_t PortmapObject::counted(pm_count what) const
{
    return counters().at(what);
}

void PortmapObject::add_uplink(unsigned ifindex, std::uint32_t mtu, std::uint32_t flags) const
{
    const pm_uplink uplink = {
        .mtu = mtu, .flags = flags, .own_ingress = 1, .looked = 0, .obstacles = 0, .pad = 0};
    put(skeleton_->maps.tt_pm_uplink, ifindex, uplink);
}

void PortmapObject::add_pod(const std::string &address, unsigned ifindex, std::uint32_t mtu,
                            std::uint32_t flags) const
{
    const pm_pod pod = {.ifindex = ifindex,
                        .generation = ++state().last_generation,
                        .flags = flags,
                        .mtu = mtu,
                        .own_ingress = 1,
                        .looked = 0,
                        .obstacles = 0,
                        .pad = 0};
    put(skeleton_->maps.tt_pm_pod, MapAddress(address), pod);
}

void PortmapObject::publish(const Mapping &mapping, std::uint32_t flags) const
{
    const MapAddress node(mapping.node);
    const MapAddress pod_address(mapping.pod);
    pm_hostport_key key{};
    pm_hostport to{};
    pm_podport_key port_key{};
    pm_pod pod{};

    ASSERT_EQ(bpf_map__lookup_elem(skeleton_->maps.tt_pm_pod, &pod_address, sizeof(pod_address),
                                   &pod, sizeof(pod), 0),
              0);
    std::memcpy(key.addr_be, node.words_be, sizeof(key.addr_be));
    key.port_be = htons(mapping.port);
    key.l4_proto = mapping.l4_proto;
    std::memcpy(to.pod_addr_be, pod_address.words_be, sizeof(to.pod_addr_be));
    to.pod_port_be = htons(mapping.pod_port);
    to.flags = static_cast<std::uint16_t>(flags);
    to.generation = pod.generation;
    std::memcpy(port_key.addr_be, pod_address.words_be, sizeof(port_key.addr_be));
    port_key.port_be = htons(mapping.pod_port);
    port_key.l4_proto = mapping.l4_proto;
    put(skeleton_->maps.tt_pm_podport, port_key, pm_podport{.flags = flags});
    put(skeleton_->maps.tt_pm_hostport, key, to);
    set_bit(state().hostport_bits, mapping.l4_proto, mapping.port);
    set_bit(state().podport_bits, mapping.l4_proto, mapping.pod_port);
}

void PortmapObject::withdraw_pod(const std::string &address) const
{
    const MapAddress key(address);
    pm_pod pod{};

    ASSERT_EQ(
        bpf_map__lookup_elem(skeleton_->maps.tt_pm_pod, &key, sizeof(key), &pod, sizeof(pod), 0),
        0);
    EXPECT_EQ(bpf_map__delete_elem(skeleton_->maps.tt_pm_pod, &key, sizeof(key), 0), 0);
    ++state().epochs[pod.ifindex % TORTIE_PM_EPOCHS];
}

void PortmapObject::insert(const Flow &flow) const
{
    const Mapping &mapping = flow.mapping;
    pm_pod pod{};
    const MapAddress pod_address(mapping.pod);
    ASSERT_EQ(bpf_map__lookup_elem(skeleton_->maps.tt_pm_pod, &pod_address, sizeof(pod_address),
                                   &pod, sizeof(pod), 0),
              0);
    pm_flow entry{};
    entry.looked = now_jiffies();
    entry.born = entry.looked;
    entry.generation = pod.generation;
    entry.epoch_slot = static_cast<std::uint16_t>(pod.ifindex % TORTIE_PM_EPOCHS);
    entry.epoch = state().epochs[entry.epoch_slot];
    entry.mtu = flow.mtu;
    entry.mode = flow.mode;

    const End client{MapAddress(flow.client), htons(flow.client_port)};
    const End node{MapAddress(mapping.node), htons(mapping.port)};
    const End inside{pod_address, htons(mapping.pod_port)};
    entry.in_ifindex = flow.uplink;
    entry.out_ifindex = flow.veth;
    put_flow(*skeleton_, flow.l4_proto, TORTIE_PM_FORWARD, client, node, inside, entry);
    entry.in_ifindex = flow.veth;
    entry.out_ifindex = flow.uplink;
    put_flow(*skeleton_, flow.l4_proto, TORTIE_PM_REPLY, inside, client, node, entry);
}

std::size_t PortmapObject::flows() const
{
    return count_entries(skeleton_->maps.tt_pm_flow4) + count_entries(skeleton_->maps.tt_pm_flow6);
}

void PortmapObject::flush_flows() const
{
    for (const bpf_map *map : {skeleton_->maps.tt_pm_flow4, skeleton_->maps.tt_pm_flow6}) {
        std::array<std::uint8_t, sizeof(pm_tuple6)> key{};
        const std::size_t size = bpf_map__key_size(map);
        while (bpf_map__get_next_key(map, nullptr, key.data(), size) == 0)
            bpf_map__delete_elem(map, key.data(), size, 0);
    }
}

std::uint32_t PortmapObject::now_jiffies() const
{
    run(skeleton_->progs.tt_pm_clock, Bytes(64));
    return static_cast<std::uint32_t>(state().jiffies);
}

bool PortmapObject::can_adopt() const
{
    now_jiffies();
    return state().can_adopt != 0;
}

void PortmapObject::look_once_a_second() const
{
    constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
    now_jiffies();
    // jiffies64 is 2^32 - 300 HZ at boot; of the kernel's HZs the one that fits best.
    const auto error = [&](std::uint64_t hz) {
        const std::uint64_t expected =
            (std::uint64_t{1} << 32) - 300 * hz + state().monotonic_ns / (kNsPerSecond / hz);
        return expected > state().jiffies ? expected - state().jiffies : state().jiffies - expected;
    };
    for (const std::uint64_t hz : {100u, 250u, 300u, 1000u})
        if (state().interval == 0 || error(hz) < error(state().interval))
            state().interval = static_cast<std::uint32_t>(hz);
}

Verdict PortmapObject::run(const bpf_program *program, const Bytes &packet, unsigned ifindex,
                           std::uint32_t gso_bytes) const
{
    Verdict verdict;
    verdict.packet.resize(packet.size() + 256);
    __sk_buff context{};
    context.ifindex = ifindex;
    context.gso_size = gso_bytes;
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = packet.data();
    options.data_size_in = static_cast<std::uint32_t>(packet.size());
    options.data_out = verdict.packet.data();
    options.data_size_out = static_cast<std::uint32_t>(verdict.packet.size());
    if (ifindex != 0) {
        options.ctx_in = &context;
        options.ctx_size_in = sizeof(context);
    }
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0) << "errno " << errno;
    verdict.action = static_cast<int>(options.retval);
    verdict.packet.resize(options.data_size_out);
    return verdict;
}

bool has_tcx()
{
    std::uint32_t count = 0;
    return bpf_prog_query(1, kTcxIngress, 0, nullptr, nullptr, &count) == 0;
}

std::array<std::uint8_t, 6> mac_of(const std::string &device)
{
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    std::array<std::uint8_t, 6> mac{};
    ifreq request{};
    device.copy(request.ifr_name, IFNAMSIZ - 1);
    EXPECT_EQ(::ioctl(socket.get(), SIOCGIFHWADDR, &request), 0) << device;
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

void attach(const Netns &where, const bpf_program *program, const std::string &device, Way way,
            Side side)
{
    where.inside([&] {
        const auto ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
        ASSERT_NE(ifindex, 0) << device;
        const int fd = bpf_program__fd(program);
        const bool ingress = side == Side::kIngress;
        if (way == Way::kTcx || (way == Way::kBest && has_tcx())) {
            // bpf_prog_attach() makes no link: it goes when the device goes.
            ASSERT_EQ(bpf_prog_attach(fd, ifindex, ingress ? kTcxIngress : kTcxEgress, 0), 0)
                << "errno " << errno;
            return;
        }
        bpf_tc_hook hook{};
        hook.sz = sizeof(hook);
        hook.ifindex = ifindex;
        hook.attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
        bpf_tc_opts options{};
        options.sz = sizeof(options);
        options.prog_fd = fd;
        const int made = bpf_tc_hook_create(&hook);
        ASSERT_TRUE(made == 0 || made == -EEXIST) << made;
        ASSERT_EQ(bpf_tc_attach(&hook, &options), 0);
    });
}

}  // namespace tortie::test
