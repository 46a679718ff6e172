// SPDX-License-Identifier: Apache-2.0
//
// A node that this process lives in: mount and network namespaces of its own, with nothing in
// /run and /var/lib/cni, and one pod. What plugins leave behind is seen in snapshots of it.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie::test {

// Moves this process, for good, into a node of its own. Call it once, with one thread.
// Errors: why this machine does not allow it.
Result<> enter_node();

// The pod: a network namespace with lo (down) and eth0, 10.88.0.2/16 and fd88::2/64, whose other
// end is the node's "vpod", 10.88.0.1/16 and fd88::1/64, with the default route through it.
constexpr const char *kPodNetns = "/run/netns/pod";

// Makes the node as it was after enter_node(): no rules, no files, route_localnet off.
// Errors: kSystem with the words of the tool that failed.
Result<> wipe_node();

// Replaces the pod by a new one.
Result<> renew_pod();

// What is on the node, a line a fact. A part that a plugin cannot reach need not be looked at each
// time: the tools cost more than the plugins.
enum Part : unsigned {
    kNft = 1,       // nft's view of all rules, those of iptables over nf_tables included
    kIptables = 2,  // iptables' view of the rules of both families
    kLinks = 4,     // links and addresses of the node and the pod
    kSysctls = 8,   // those of the node and the pod that plugins may set
    kFiles = 16,    // /run, /var/lib/{cni,tortie}: names, modes, content, and locks that are held
};

using Snapshot = std::multiset<std::string>;
Snapshot take_snapshot(unsigned parts);

// One line a difference, "+ " or "- " before it; empty when there is none. What is new in `now`
// but stands in `tolerated` is no difference.
std::string difference(const Snapshot &before, const Snapshot &now, const Snapshot &tolerated = {});

// Runs `work` with this process in the network namespace `path`.
Result<> in_netns(const std::string &path, const std::function<void()> &work);

// Runs a program of /usr/sbin and gives its stdout. Errors: kSystem when its status is not 0.
Result<std::string> run_tool(std::initializer_list<std::string> words);

}  // namespace tortie::test
