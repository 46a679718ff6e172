// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>

#include <cerrno>
#include <chrono>

#include "base/deadline.h"
#include "base/file.h"
#include "base/log.h"
#include "datapath/pod_link.h"
#include "sys/link.h"
#include "sys/link_removal.h"
#include "sys/netlink.h"
#include "sys/netns.h"

namespace tortie {
namespace {

constexpr std::chrono::seconds kPatience{20};

Result<> delete_here(const std::string &ifname)
{
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
    TORTIE_TRY(const Link link, find_link(socket, ifname));
    return delete_link_promptly(socket, link, Deadline::in(kPatience));
}

}  // namespace

Result<> remove_pod_link(const std::string &netns, const std::string &ifname)
{
    if (netns.empty())
        return {};
    log::info("Deleting workload's device in netns.");
    const auto inside = NetnsScope::enter(netns);
    if (!inside) {
        const Error &error = inside.error();
        const bool gone = error.kind() == ErrorKind::kNotFound || error.sys_errno() == ENOTDIR;
        const bool never_was = error.kind() == ErrorKind::kInvalidInput;
        if (!gone && !never_was)
            return fail(Error(error).within("failed to enter netns"));
        log::info("The network namespace is gone. Nothing to do.", {{"reason", error.what()}});
        return {};
    }
    log::info("Entered netns, deleting veth.");
    const auto deleted = delete_here(ifname);
    if (deleted) {
        log::info("Deleted device in netns.");
        return {};
    }
    if (deleted.error().kind() == ErrorKind::kNotFound) {
        log::info("Workload's veth was already gone.  Nothing to do.");
        return {};
    }
    log::error("Failed to clean up workload's veth.");
    if (deleted.error().kind() == ErrorKind::kTryAgain && deleted.error().sys_errno() == 0)
        return fail(ErrorKind::kTryAgain, "timed out deleting device in netns " + netns);
    return fail(
        go_error(deleted.error().sys_errno(), "failed to clean up workload's veth inside netns"));
}

}  // namespace tortie
