// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_node.h"

#include <arpa/inet.h>
#include <linux/netlink.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/deadline.h"
#include "base/log.h"
#include "base/pause.h"
#include "base/strings.h"
#include "datapath/ebpf_entries.h"
#include "datapath/other_filters.h"
#include "datapath/uplinks.h"
#include "sys/route.h"
#include "sys/sysctl.h"

namespace tortie {
namespace {

constexpr std::size_t kWordBits = 64;
constexpr std::chrono::milliseconds kAttachEnds(300);
constexpr std::chrono::milliseconds kAttachPause(2);

// pm_state.full, of which the programs only see whether it is 0: somebody asked for it, whoever
// filters; or it holds as long as nobody does.
constexpr std::uint32_t kFullAlone = 1;
constexpr std::uint32_t kFullAsked = 2;

// One of pm_state's words for a port.
struct PortBit {
    __u64 *word;
    __u64 mask;
};

PortBit bit_of(__u64 (&bits)[2][1024], std::uint8_t l4_proto, std::uint16_t port)
{
    const bool udp = l4_proto == static_cast<std::uint8_t>(Protocol::kUdp);
    return {.word = &bits[udp ? 1 : 0][port / kWordBits], .mask = __u64{1} << (port % kWordBits)};
}

void set_bit(PortBit bit)
{
    __atomic_fetch_or(bit.word, bit.mask, __ATOMIC_SEQ_CST);
}

// The bits that entries stand behind.
struct NeededBits {
    __u64 hostports[2][1024] = {};
    __u64 podports[2][1024] = {};
};

void keep_only(__u64 (&bits)[2][1024], const __u64 (&needed)[2][1024])
{
    for (std::size_t protocol = 0; protocol < 2; ++protocol)
        for (std::size_t i = 0; i < 1024; ++i)
            if ((bits[protocol][i] & ~needed[protocol][i]) != 0)
                __atomic_fetch_and(&bits[protocol][i], needed[protocol][i], __ATOMIC_SEQ_CST);
}

// Never 0, which says that there is none.
std::uint32_t next_generation(pm_state &state)
{
    std::uint32_t generation = 0;
    while (generation == 0)
        generation = __atomic_add_fetch(&state.last_generation, 1U, __ATOMIC_SEQ_CST);
    return generation;
}

unsigned rp_filter(const std::string &device)
{
    const auto text = read_sysctl("ipv4/conf/" + device + "/rp_filter");
    return text ? parse_number<unsigned>(*text).value_or(0) : 0;
}

// The greater of the two counts.
bool checks_sources_strictly(const std::string &device)
{
    return std::max(rp_filter("all"), rp_filter(device)) == 1;
}

}  // namespace

EbpfNode::EbpfNode(const EbpfSettings &settings, std::unique_ptr<PinFolder> folder,
                   std::unique_ptr<NetlinkSocket> route, PortmapMaps maps)
    : settings_(settings),
      folder_(std::move(folder)),
      route_(std::move(route)),
      maps_(std::move(maps)),
      attacher_(std::make_unique<Attacher>(*folder_, settings.attach, *route_))
{
}

Result<EbpfNode> EbpfNode::open(const EbpfSettings &settings)
{
    auto folder = std::make_unique<PinFolder>(PinRoot(settings.places).folder(settings.abi));
    TORTIE_TRY(PortmapMaps maps, PortmapMaps::open(*folder));
    TORTIE_TRY(NetlinkSocket route, NetlinkSocket::open(NETLINK_ROUTE));
    return EbpfNode(settings, std::move(folder), std::make_unique<NetlinkSocket>(std::move(route)),
                    std::move(maps));
}

// An attacher that knows tcx, and where the kernel has none from then on one that does not.
template <class Attach>
Result<> EbpfNode::attach_by(Attach attach)
{
    auto attached = attach(*attacher_);
    if (attached || settings_.attach == AttachWay::kClsact ||
        attached.error().kind() != ErrorKind::kUnsupported)
        return attached;
    settings_.attach = AttachWay::kClsact;
    attacher_ = std::make_unique<Attacher>(*folder_, settings_.attach, *route_);
    return attach(*attacher_);
}

Result<std::set<int>> EbpfNode::pod_devices() const
{
    std::set<int> devices;
    TORTIE_DO(maps_.pods.visit([&](const PodAddress &, const pm_pod &pod) {
        devices.insert(static_cast<int>(pod.ifindex));
        return true;
    }));
    return devices;
}

Result<> EbpfNode::know_uplink(const Link &link)
{
    const auto ifindex = static_cast<std::uint32_t>(link.index);
    const std::uint32_t flags = checks_sources_strictly(link.name) ? 0 : TORTIE_PM_UPLINK_LOOSE;
    TORTIE_TRY(const auto known, maps_.uplinks.find(ifindex));
    if (!known || known->flags != flags)
        TORTIE_DO(maps_.uplinks.put(ifindex, {.mtu = link.mtu,
                                              .flags = flags,
                                              .own_ingress = 1,
                                              .looked = 0,
                                              .obstacles = 0,
                                              .pad = 0}));
    auto attached =
        attach_by([&](Attacher &attacher) { return attacher.attach(kUplinkProgram, link.index); });
    // Gone meanwhile, or somebody's filter is in our slot: this one is netfilter's.
    if (!attached && (attached.error().kind() == ErrorKind::kNotFound ||
                      attached.error().kind() == ErrorKind::kExists)) {
        TORTIE_DO(maps_.uplinks.erase(ifindex));
        return {};
    }
    return attached;
}

Result<std::vector<Link>> EbpfNode::refresh_uplinks(int pod_device, bool sweep)
{
    TORTIE_TRY(std::set<int> devices, pod_devices());
    devices.insert(pod_device);
    TORTIE_TRY(auto uplinks, find_uplinks(*route_, devices));
    std::set<std::uint32_t> current;
    for (const Link &link : uplinks) {
        TORTIE_DO(know_uplink(link));
        current.insert(static_cast<std::uint32_t>(link.index));
    }
    if (sweep)
        TORTIE_DO(forget_uplinks(current));
    return uplinks;
}

Result<> EbpfNode::forget_uplinks(const std::set<std::uint32_t> &but)
{
    std::vector<std::uint32_t> gone;
    TORTIE_DO(maps_.uplinks.visit([&](const std::uint32_t &ifindex, const pm_uplink &) {
        if (!but.contains(ifindex))
            gone.push_back(ifindex);
        return true;
    }));
    for (const std::uint32_t ifindex : gone) {
        TORTIE_DO(maps_.uplinks.erase(ifindex));
        TORTIE_DO(attacher_->detach(kUplinkProgram, static_cast<int>(ifindex)));
    }
    return {};
}

Result<> EbpfNode::carry(const std::vector<PublishedPort> &ports,
                         const std::vector<Cidr> &addresses, const Link &veth, bool full)
{
    pm_state &state = *maps_.state;
    const bool by_tcx = settings_.attach == AttachWay::kTcx && Attacher::has_tcx(veth.index);
    const bool later = settings_.attach_later && !by_tcx;
    const bool may_full = full && (settings_.full || state.can_adopt == 0);
    const std::uint32_t flags = TORTIE_PM_MAY_ADOPT | (may_full ? TORTIE_PM_MAY_FULL : 0U);
    const std::uint32_t generation = next_generation(state);
    for (const Cidr &address : addresses)
        TORTIE_DO(maps_.pods.put(map_address(address.addr),
                                 {.ifindex = static_cast<std::uint32_t>(veth.index),
                                  .generation = generation,
                                  .flags = flags,
                                  .mtu = veth.mtu,
                                  .own_ingress = later ? 0U : 1U,
                                  .looked = 0,
                                  .obstacles = 0,
                                  .pad = 0}));
    for (const PublishedPort &port : ports)
        TORTIE_DO(maps_.podports.put(podport_key(port), {.flags = flags}));
    for (const PublishedPort &port : ports) {
        pm_hostport value{};
        write_address(value.pod_addr_be, port.target);
        value.pod_port_be = htons(port.target_port);
        value.flags = static_cast<std::uint16_t>(flags);
        value.generation = generation;
        TORTIE_DO(maps_.hostports.put(hostport_key(port), value));
    }
    for (const PublishedPort &port : ports) {
        const auto protocol = static_cast<std::uint8_t>(port.protocol);
        set_bit(bit_of(state.hostport_bits, protocol, port.host_port));
        set_bit(bit_of(state.podport_bits, protocol, port.target_port));
    }
    if (later)
        return {};
    return attach_by(
        [&](Attacher &attacher) { return attacher.attach_soon(kPodProgram, veth.index); });
}

Result<> EbpfNode::attach_waiting()
{
    std::map<PodAddress, pm_pod> waiting;
    TORTIE_DO(maps_.pods.visit([&](const PodAddress &address, const pm_pod &pod) {
        if (is_waiting(pod))
            waiting.emplace(address, pod);
        return true;
    }));
    for (auto &[address, pod] : waiting) {
        const int ifindex = static_cast<int>(pod.ifindex);
        const auto attached =
            attach_by([&](Attacher &attacher) { return attacher.attach(kPodProgram, ifindex); });
        if (!attached) {
            log::debug("a pod's packets stay with netfilter", {{"cause", attached.error().what()}});
            continue;
        }
        pod.own_ingress = 1;
        TORTIE_DO(maps_.pods.put(address, pod));
    }
    return {};
}

Result<> EbpfNode::judge_full()
{
    pm_state &state = *maps_.state;
    if (settings_.full_beside_others)
        state.full = kFullAsked;
    const bool wanted = settings_.full || state.can_adopt == 0;
    if (state.full == kFullAsked || (!wanted && state.full == 0))
        return {};
    TORTIE_TRY(const auto other, find_other_filter());
    state.full = other ? 0 : kFullAlone;
    return {};
}

// From the first step on nothing new is taken for it, from the second on its flows know. The entry
// stays, as nobody's: whoever is killed on the way is found by it.
Result<> EbpfNode::retire_pod(const PodAddress &address, pm_pod pod)
{
    pod.flags = 0;
    pod.generation = next_generation(*maps_.state);
    TORTIE_DO(maps_.pods.put(address, pod));
    __atomic_fetch_add(&maps_.state->epochs[pod.ifindex % TORTIE_PM_EPOCHS], 1U, __ATOMIC_SEQ_CST);
    return {};
}

Result<> EbpfNode::detach_pod(int ifindex, bool was_carried)
{
    // What an ADD left to its child to attach would come when nobody looks any more.
    if (was_carried && find_link(*route_, ifindex))
        TORTIE_DO(is_attached_soon(ifindex));
    return attacher_->detach(kPodProgram, ifindex);
}

Result<> EbpfNode::forget_pods(const std::set<PodAddress> &pods, int but_at)
{
    std::map<int, bool> devices;  // and whether a pod there was carried until now
    for (const PodAddress &address : pods) {
        TORTIE_TRY(const auto pod, maps_.pods.find(address));
        if (!pod)
            continue;
        devices[static_cast<int>(pod->ifindex)] |= pod->flags != 0 && !is_waiting(*pod);
        TORTIE_DO(retire_pod(address, *pod));
    }
    devices.erase(but_at);
    for (const auto &[ifindex, was_carried] : devices)
        TORTIE_DO(detach_pod(ifindex, was_carried));
    TORTIE_DO(forget_ports(pods));
    for (const PodAddress &address : pods)
        TORTIE_DO(maps_.pods.erase(address));
    return {};
}

Result<> EbpfNode::forget_ports(const std::set<PodAddress> &pods)
{
    std::vector<pm_hostport_key> hostports;
    TORTIE_DO(maps_.hostports.visit([&](const pm_hostport_key &key, const pm_hostport &value) {
        if (pods.contains(address_in(value.pod_addr_be)))
            hostports.push_back(key);
        return true;
    }));
    for (const pm_hostport_key &key : hostports)
        TORTIE_DO(maps_.hostports.erase(key));
    std::vector<pm_podport_key> podports;
    TORTIE_DO(maps_.podports.visit([&](const pm_podport_key &key, const pm_podport &) {
        if (pods.contains(address_in(key.addr_be)))
            podports.push_back(key);
        return true;
    }));
    for (const pm_podport_key &key : podports)
        TORTIE_DO(maps_.podports.erase(key));
    return clear_bits();
}

Result<> EbpfNode::clear_bits()
{
    const auto needed = std::make_unique<NeededBits>();
    const auto need = [](__u64(&bits)[2][1024], std::uint8_t l4_proto, std::uint16_t port) {
        const PortBit bit = bit_of(bits, l4_proto, port);
        *bit.word |= bit.mask;
    };
    TORTIE_DO(maps_.hostports.visit([&](const pm_hostport_key &key, const pm_hostport &) {
        need(needed->hostports, key.l4_proto, ntohs(key.port_be));
        return true;
    }));
    TORTIE_DO(maps_.podports.visit([&](const pm_podport_key &key, const pm_podport &) {
        need(needed->podports, key.l4_proto, ntohs(key.port_be));
        return true;
    }));
    keep_only(maps_.state->hostport_bits, needed->hostports);
    keep_only(maps_.state->podport_bits, needed->podports);
    return {};
}

Result<> EbpfNode::drop(const std::vector<PublishedPort> &ports,
                        const std::vector<IpAddr> &addresses, int but_at)
{
    std::set<PodAddress> pods;
    for (const IpAddr &address : addresses)
        pods.insert(map_address(address));
    for (const PublishedPort &port : ports)
        pods.insert(map_address(port.target));
    return forget_pods(pods, but_at);
}

Result<bool> EbpfNode::knows(const IpAddr &address) const
{
    TORTIE_TRY(const auto pod, maps_.pods.find(map_address(address)));
    return pod.has_value();
}

// An ADD that has just ended may have left its child to attach (Attacher::attach_soon).
Result<bool> EbpfNode::is_attached_soon(int ifindex)
{
    const Deadline deadline = Deadline::in(kAttachEnds);
    while (true) {
        TORTIE_TRY(const bool attached, attacher_->is_attached(kPodProgram, ifindex));
        if (attached || deadline.passed())
            return attached;
        pause_for(kAttachPause);
    }
}

Result<> EbpfNode::check(const std::vector<PublishedPort> &ports, const IpAddr &address)
{
    TORTIE_TRY(const auto pod, maps_.pods.find(map_address(address)));
    if (!pod)
        return fail(ErrorKind::kNotFound, "map tt_pm_pod has no entry for " + address.to_string());
    for (const PublishedPort &port : ports) {
        if (port.target != address)
            continue;
        TORTIE_TRY(const auto entry, maps_.hostports.find(hostport_key(port)));
        if (!entry)
            return fail(ErrorKind::kNotFound, "map tt_pm_hostport has no entry for port " +
                                                  std::to_string(port.host_port) + '/' +
                                                  std::string(name_of(port.protocol)));
    }
    TORTIE_TRY(const bool attached,
               is_waiting(*pod) ? true : is_attached_soon(static_cast<int>(pod->ifindex)));
    if (!attached)
        return fail(ErrorKind::kNotFound,
                    "program tt_pm_reply is not attached to interface number " +
                        std::to_string(pod->ifindex));
    std::vector<std::uint32_t> uplinks;
    TORTIE_DO(maps_.uplinks.visit([&](const std::uint32_t &ifindex, const pm_uplink &) {
        uplinks.push_back(ifindex);
        return true;
    }));
    for (const std::uint32_t ifindex : uplinks) {
        if (!find_link(*route_, static_cast<int>(ifindex)))
            continue;  // gone: the next call forgets it
        TORTIE_TRY(const bool there,
                   attacher_->is_attached(kUplinkProgram, static_cast<int>(ifindex)));
        if (!there)
            return fail(ErrorKind::kNotFound,
                        "program tt_pm_ingress is not attached to interface number " +
                            std::to_string(ifindex));
    }
    return {};
}

// Its address still leads to the interface that is said to be its own.
Result<bool> EbpfNode::is_live(const PodAddress &address, const pm_pod &pod)
{
    const auto out = output_ifindex(*route_, unmap_address(address));
    if (!out && out.error().kind() == ErrorKind::kNotFound)
        return false;
    if (!out)
        return fail(out.error());
    return pod.flags != 0 && *out == static_cast<int>(pod.ifindex);
}

Result<> EbpfNode::sweep()
{
    std::vector<std::pair<PodAddress, pm_pod>> pods;
    TORTIE_DO(maps_.pods.visit([&](const PodAddress &address, const pm_pod &pod) {
        pods.emplace_back(address, pod);
        return true;
    }));
    std::set<PodAddress> known;
    std::set<PodAddress> gone;
    for (const auto &[address, pod] : pods) {
        TORTIE_TRY(const bool live, is_live(address, pod));
        (live ? known : gone).insert(address);
    }
    const auto note = [&](const PodAddress &address) {
        if (!known.contains(address))
            gone.insert(address);
        return true;
    };
    TORTIE_DO(maps_.hostports.visit([&](const pm_hostport_key &, const pm_hostport &value) {
        return note(address_in(value.pod_addr_be));
    }));
    TORTIE_DO(maps_.podports.visit([&](const pm_podport_key &key, const pm_podport &) {
        return note(address_in(key.addr_be));
    }));
    TORTIE_DO(forget_pods(gone, 0));
    return attacher_->sweep_links();
}

}  // namespace tortie
