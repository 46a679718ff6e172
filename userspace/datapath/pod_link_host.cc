// SPDX-License-Identifier: Apache-2.0
#include "datapath/pod_link_host.h"

#include <algorithm>
#include <chrono>

#include "base/deadline.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pause.h"
#include "base/strings.h"
#include "datapath/host_routes.h"
#include "datapath/pod_link_parts.h"
#include "sys/link.h"
#include "sys/sysctl.h"

namespace tortie {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMacPatience{5000};
constexpr milliseconds kAddressPatience{500};
constexpr milliseconds kTentativePatience{100};  // a node that insists on DAD takes a second
constexpr std::chrono::microseconds kLookAgainAfter{200};
constexpr int kLooksBeforeToggle = 250;

Result<> write_host_sysctls(const PodLinkRequest &request)
{
    for (const HostSysctl &sysctl : host_sysctls(request)) {
        const auto written = write_sysctl(sysctl.name, sysctl.value);
        if (written)
            continue;
        const std::string what = "failed to set " + setting_text(sysctl.name, sysctl.value) + ": " +
                                 written.error().what();
        if (sysctl.needed)
            return fail(ErrorKind::kSystem, "error configuring sysctls for interface: " +
                                                request.host_ifname + ", error: " + what);
        log::warn(what);
    }
    return {};
}

// The node's end, once it is up.
class HostEnd {
public:
    HostEnd(NetlinkSocket &socket, int index, const PodLinkRequest &request)
        : socket_(socket),
          index_(index),
          name_(request.host_ifname),
          ipv6_(has_family(request, Family::kIpv6))
    {
    }

    const Link &link() const { return link_; }

    // The pod's end is up already, so the kernel gives the link-local address while this runs, and
    // not from its worker some time later.
    Result<> bring_up()
    {
        std::vector<Step> steps;
        if (ipv6_)
            steps.push_back({eui64_request(index_),
                             "failed to get IPv6 addresses for host side "
                             "of the veth pair"});
        steps.push_back({up_request(index_, true), "failed to set " + go_quoted(name_) + " up"});
        steps.push_back({link_question(index_), "failed to lookup " + go_quoted(name_)});
        return run_steps(socket_, std::move(steps), "set up the node's interface",
                         [&](const NetlinkReply &reply) { link_ = read_link(reply); });
    }

    // Until MAC and link-local address are what the pod relies on. They are at once, or when the
    // kernel's worker has had its turn, unless somebody (udev, a network manager) has laid hands on
    // the new interface.
    Result<> settle()
    {
        const Deadline mac_by = Deadline::in(kMacPatience);
        const Deadline address_by = Deadline::in(kAddressPatience);
        const Deadline usable_by = Deadline::in(kTentativePatience);
        for (int look = 1;; ++look) {
            const bool mac =
                std::equal(link_.mac.begin(), link_.mac.end(), kHostMac.begin(), kHostMac.end());
            TORTIE_TRY(const Ipv6AddressState address, gateway());
            const bool missing = address == Ipv6AddressState::kMissing;
            if (mac && !missing && (address == Ipv6AddressState::kUsable || usable_by.passed()))
                return {};
            if (!mac && mac_by.passed())
                return fail(ErrorKind::kSystem, "timed out waiting for host veth " +
                                                    go_quoted(name_) + " to accept MAC " +
                                                    print_mac(kHostMac));
            if (mac && address_by.passed())
                return fail(ErrorKind::kSystem,
                            "failed to get IPv6 addresses for host side of the veth pair");
            if (!mac || (missing && look % kLooksBeforeToggle == 0))
                TORTIE_DO(reset(mac));
            pause_for(kLookAgainAfter);
            TORTIE_TRY(link_, find_link(socket_, index_));
        }
    }

private:
    Result<Ipv6AddressState> gateway()
    {
        if (!ipv6_)
            return Ipv6AddressState::kUsable;
        return look_for_ipv6_address(socket_, index_, ipv6_gateway());
    }

    Result<> reset(bool mac_is_right)
    {
        if (mac_is_right)
            log::warn(
                "Host-side veth received unexpected link-local IP; toggling it down/up to "
                "reset the IP.");
        else
            log::warn("Host-side veth MAC " + print_mac(link_.mac) + " does not match expected " +
                      print_mac(kHostMac) + ". Retrying...");
        TORTIE_DO(set_up(socket_, link_, false));
        if (const auto set = set_mac(socket_, link_, kHostMac); !set)
            log::warn("failed to Set MAC of " + go_quoted(name_) + ": " +
                      go_errno_text(set.error().sys_errno()));
        return bring_up();
    }

    NetlinkSocket &socket_;
    int index_;
    const std::string &name_;
    bool ipv6_;
    Link link_;
};

}  // namespace

Result<> complete_host_end(NetlinkSocket &node, int index, const PodLinkRequest &request)
{
    TORTIE_DO(write_host_sysctls(request));
    HostEnd end(node, index, request);
    TORTIE_DO(end.bring_up());
    TORTIE_DO(end.settle());
    if (request.skip_host_side_routes) {
        log::info("Skipping host-side route setup (skipHostSideRoutes=true)");
        return {};
    }
    auto added = add_host_routes(node, end.link(), request.addresses, request.host_prefix);
    if (!added)
        return fail(added.error().kind(),
                    "error adding host side routes for interface: " + request.host_ifname +
                        ", error: " + added.error().what());
    return {};
}

}  // namespace tortie
