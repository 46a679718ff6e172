// SPDX-License-Identifier: Apache-2.0
#include "datapath/pod_link.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/deadline.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pause.h"
#include "base/scope_exit.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "datapath/pod_link_host.h"
#include "datapath/pod_link_parts.h"
#include "sys/link.h"
#include "sys/link_pair.h"
#include "sys/netlink_batch.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

namespace tortie {
namespace {

constexpr std::chrono::milliseconds kRunningPatience{100};
constexpr std::chrono::microseconds kLookAgainAfter{200};

// What Go's plugin prints of an error that it does not wrap.
Error bare(int err)
{
    return {err == EEXIST ? ErrorKind::kExists : ErrorKind::kSystem, go_errno_text(err)};
}

// Sysctls of the pod, with the way back.
class PodSysctls {
public:
    // Within the pod's namespace. What has the value already is not written: several of these
    // take the kernel's lock for all network configuration.
    Result<> set(const std::string &name, const std::string &value)
    {
        TORTIE_TRY(std::string before, read_sysctl(name));
        if (before == value)
            return {};
        TORTIE_DO(write_sysctl(name, value));
        changed_.emplace_back(name, std::move(before));
        return {};
    }

    void restore() const
    {
        for (auto change = changed_.rbegin(); change != changed_.rend(); ++change) {
            if (const auto restored = write_sysctl(change->first, change->second); !restored)
                log::warn("Cannot restore a sysctl of the pod",
                          {{"error", restored.error().what()}});
        }
    }

private:
    std::vector<std::pair<std::string, std::string>> changed_;
};

struct Node {
    NetlinkSocket socket;
    UniqueFd netns;  // this one, wherever the thread is
};

struct Pod {
    NetlinkSocket socket;
    Link link;
    PodSysctls sysctls;

    void withdraw(const std::string &netns)
    {
        if (const auto deleted = delete_link(socket, link.index);
            !deleted && deleted.error().kind() != ErrorKind::kNotFound)
            log::warn("Cannot remove the pod's interface after a failure",
                      {{"error", deleted.error().what()}});
        if (const auto inside = NetnsScope::enter(netns); inside)
            sysctls.restore();
    }
};

Result<Node> open_node()
{
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    if (!socket)
        return fail(std::move(socket).error().within("failed to create host netlink handle"));
    UniqueFd netns(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!netns.valid())
        return fail(go_error(errno, "open /proc/thread-self/ns/net"));
    return Node{*std::move(socket), std::move(netns)};
}

Result<> delete_old_host_link(Node &node, const std::string &name)
{
    const auto deleted = delete_link(node.socket, name);
    if (deleted) {
        log::info("Cleaning old hostVeth: " + name);
        return {};
    }
    const int err = deleted.error().sys_errno();  // ERANGE: no interface can have that name
    if (err == ENODEV || err == ERANGE)
        return {};
    return fail(go_error(err, "failed to delete old hostVeth " + name));
}

LinkPair pair_of(const PodLinkRequest &request, PairEnd here, PairEnd there, int there_netns_fd)
{
    return {.here = std::move(here),
            .there = std::move(there),
            .there_netns_fd = there_netns_fd,
            .mtu_bytes = request.mtu_bytes,
            .queues = request.queues};
}

// When the kernel's answer is lost: the pair may be there, and nobody else's has that name.
void forget(Node &node, const PodLinkRequest &request)
{
    static_cast<void>(delete_link(node.socket, request.host_ifname));
}

// The primary end has to be the node's, so this one is made from there.
Result<Link> make_netkit(Node &node, NetlinkSocket &pod, const PodLinkRequest &request)
{
    const UniqueFd inside(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!inside.valid())
        return fail(go_error(errno, "open /proc/thread-self/ns/net"));
    NetlinkMessage message = new_netkit(pair_of(request, {request.host_ifname, kHostMac},
                                                {request.ifname, request.mac}, inside.get()));
    TORTIE_DO(node.socket.request(message, "make netkit"));
    auto link = find_link(pod, request.ifname);
    if (!link)
        forget(node, request);
    return link;
}

Result<Link> make_veth(Node &node, NetlinkSocket &pod, const PodLinkRequest &request)
{
    std::vector<NetlinkMessage> messages;
    messages.push_back(new_veth(pair_of(request, {request.ifname, request.mac},
                                        {request.host_ifname, kHostMac}, node.netns.get())));
    messages.push_back(link_question(request.ifname));  // answered too when it is somebody else's
    Link link;
    const auto errors = request_all(pod, messages, "make veth",
                                    [&](const NetlinkReply &reply) { link = read_link(reply); });
    if (!errors || (errors->at(0) == 0 && errors->at(1) != 0)) {
        forget(node, request);
        return fail(errors
                        ? go_error(errors->at(1), "failed to lookup " + go_quoted(request.ifname))
                        : errors.error());
    }
    if (errors->at(0) == 0)
        return link;
    const Error error = bare(errors->at(0));
    log::error("Error adding veth " + request.ifname + ": " + error.what());
    return fail(error);
}

Result<Link> make_pair(Node &node, NetlinkSocket &pod, const PodLinkRequest &request)
{
    if (request.device == PodDevice::kNetkit) {
        auto made = make_netkit(node, pod, request);
        if (made)
            return made;
        if (made.error().sys_errno() != EOPNOTSUPP)
            return fail(bare(made.error().sys_errno()));
        log::info("netkit not supported on this kernel; falling back to veth");
    }
    return make_veth(node, pod, request);
}

// Before the pod's end comes up: then its addresses are usable at once, and it has a link-local
// one.
Result<> enable_ipv6(Pod &pod, const std::string &ifname)
{
    const auto dad = write_sysctl("ipv6/conf/" + ifname + "/accept_dad", "0");
    if (!dad)
        return fail(Error(dad.error()).within("failed to disable DAD for " + ifname));
    for (const char *scope : {"all", "default", "lo"}) {
        const std::string name = std::string("ipv6/conf/") + scope + "/disable_ipv6";
        auto enabled = pod.sysctls.set(name, "0");
        if (!enabled)
            return fail(
                std::move(enabled).error().within("failed to set " + setting_text(name, "0")));
    }
    return {};
}

std::string add_address_failure(const std::string &ifname)
{
    return "failed to add IP addr to " + go_quoted(ifname);
}

Result<> address_pod(Pod &pod, const PodLinkRequest &request)
{
    const int index = pod.link.index;
    std::vector<Step> steps;
    steps.push_back(
        {up_request(index, true), "failed to set " + go_quoted(request.ifname) + " up"});
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        const std::string kind = family == Family::kIpv4 ? "IPv4" : "IPv6";
        for (const Route &route : pod_routes(request, family, index)) {
            steps.push_back({new_route(route, IfRouteExists::kFail),
                             route.via ? "failed to add " + kind + " route for " +
                                             route.to.to_string() + " via " + route.via->to_string()
                                       : "failed to add route inside the container"});
        }
    }
    for (const IpAddr &address : request.addresses)
        steps.push_back(
            {new_address(index, host_cidr(address)), add_address_failure(request.ifname)});
    return run_steps(pod.socket, std::move(steps), "set up the pod's interface");
}

Result<> set_forwarding(Pod &pod, const PodLinkRequest &request)
{
    const std::string value = request.allow_ip_forwarding ? "1" : "0";
    for (const auto &[family, name] : {std::pair(Family::kIpv4, "ipv4/ip_forward"),
                                       std::pair(Family::kIpv6, "ipv6/conf/all/forwarding")}) {
        if (!has_family(request, family))
            continue;
        auto set = pod.sysctls.set(name, value);
        if (!set)
            return fail(
                std::move(set).error().within("error configuring sysctls for the container netns, "
                                              "error: failed to set " +
                                              setting_text(name, value)));
    }
    return {};
}

// The pair, and everything inside the pod; nothing on failure.
Result<Pod> make_pod_side(Node &node, const PodLinkRequest &request)
{
    TORTIE_TRY(const NetnsScope inside, NetnsScope::enter(request.netns));
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
    TORTIE_DO(delete_old_host_link(node, request.host_ifname));
    TORTIE_TRY(Link link, make_pair(node, socket, request));
    Pod pod{std::move(socket), std::move(link), {}};
    ScopeExit undo([&] { pod.withdraw(request.netns); });
    if (has_family(request, Family::kIpv6))
        TORTIE_DO(enable_ipv6(pod, request.ifname));
    TORTIE_DO(address_pod(pod, request));
    TORTIE_DO(set_forwarding(pod, request));
    undo.dismiss();
    return pod;
}

// What cannot be asked counts as running: this is not worth a failure.
bool is_running(Pod &pod, const PodLinkRequest &request)
{
    const auto link = find_link(pod.socket, pod.link.index);
    if (!link)
        return true;
    const auto usable = [&](const IpAddr &address) {
        if (address.family() == Family::kIpv4)
            return true;
        const auto state = look_for_ipv6_address(pod.socket, link->index, address);
        return !state || *state == Ipv6AddressState::kUsable;
    };
    return link->running() &&
           std::all_of(request.addresses.begin(), request.addresses.end(), usable);
}

// With the node's end up the kernel gives the pod's its link-local address, its routes their final
// flags, and ends the tentative time of its addresses: from a worker, some microseconds later, or
// milliseconds on a busy node.
void wait_until_running(Pod &pod, const PodLinkRequest &request)
{
    const Deadline deadline = Deadline::in(kRunningPatience);
    while (!is_running(pod, request) && !deadline.passed())
        pause_for(kLookAgainAfter);
}

// Before anything is changed: for IPv4 the kernel would take some of these.
Result<> check_addresses(const PodLinkRequest &request)
{
    if (request.addresses.empty())
        return fail(ErrorKind::kInvalidInput, "the pod has no address");
    for (const IpAddr &address : request.addresses) {
        const std::uint8_t first = address.bytes_be()[0];
        const bool group = address.family() == Family::kIpv4 ? first >= 224 : first == 0xff;
        if (group || address.is_unspecified() || address.is_loopback())
            return fail(go_error(EADDRNOTAVAIL, add_address_failure(request.ifname)));
    }
    return {};
}

Result<PodLinkState> make(const PodLinkRequest &request)
{
    TORTIE_DO(check_addresses(request));
    TORTIE_TRY(Node node, open_node());
    TORTIE_TRY(Pod pod, make_pod_side(node, request));
    ScopeExit undo([&] { pod.withdraw(request.netns); });
    if (pod.link.mac.size() != EtherAddr{}.size())
        return fail(ErrorKind::kSystem, "the interface of the pod has no Ethernet address");
    TORTIE_DO(complete_host_end(node.socket, pod.link.peer_index, request));
    undo.dismiss();
    wait_until_running(pod, request);

    PodLinkState state{.host_ifname = request.host_ifname, .mac = {}, .mtu_bytes = pod.link.mtu};
    std::copy(pod.link.mac.begin(), pod.link.mac.end(), state.mac.begin());
    return state;
}

}  // namespace

Result<EtherAddr> parse_pod_mac(std::string_view annotation)
{
    const std::string text(annotation);
    const auto mac = parse_mac(annotation);
    if (!mac)
        return fail(ErrorKind::kInvalidInput,
                    "failed to parse MAC address " + text +
                        " provided via cni.projectcalico.org/hwAddr: address " + text +
                        ": invalid MAC address");
    EtherAddr ether{};
    int err = mac->size() == ether.size() ? 0 : EINVAL;
    if (err == 0)
        std::copy(mac->begin(), mac->end(), ether.begin());
    if (err == 0 && ((ether[0] & 1) != 0 || ether == EtherAddr{}))
        err = EADDRNOTAVAIL;  // a group's address, or none
    if (err != 0)
        return fail(ErrorKind::kInvalidInput,
                    "failed to set container veth MAC to " + text +
                        " as requested via cni.projectcalico.org/hwAddr: " + go_errno_text(err));
    return ether;
}

Result<PodLinkState> create_pod_link(const PodLinkRequest &request)
{
    log::info("Setting the host side veth name to " + request.host_ifname);
    auto made = make(request);
    if (!made)
        log::error("Error creating veth: " + made.error().what());
    else if (request.mac)
        log::info("successfully configured container veth MAC to " + print_mac(made->mac) +
                  " as requested via cni.projectcalico.org/hwAddr");
    return made;
}

}  // namespace tortie
