// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>

#include <cerrno>

#include "base/file.h"
#include "base/log.h"
#include "datapath/pod_link.h"
#include "sys/link.h"
#include "sys/netlink.h"
#include "sys/netns.h"

namespace tortie {

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
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    const auto deleted = socket ? delete_link(*socket, ifname) : fail(socket.error());
    if (!deleted && deleted.error().kind() == ErrorKind::kNotFound) {
        log::info("Workload's veth was already gone.  Nothing to do.");
        return {};
    }
    if (!deleted) {
        log::error("Failed to clean up workload's veth.");
        return fail(go_error(deleted.error().sys_errno(),
                             "failed to clean up workload's veth inside netns"));
    }
    log::info("Deleted device in netns.");
    return {};
}

}  // namespace tortie
