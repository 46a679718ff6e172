// SPDX-License-Identifier: Apache-2.0
//
// From host-local to calico-ipam on a node that is at work: `calico-ipam -upgrade`, an init
// container of calico-node. The pods of the node keep their addresses.
// Source: spec calico-ipam-datastore.md 1.9, calico-peers.md 3.3.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "calico/ipam_site.h"
#include "store/store.h"

namespace tortie::calico {

struct HostLocalPlace {
    std::string network = "k8s-pod-network";
    std::string folder = "/var/lib/cni/networks/k8s-pod-network";

    // Taken away meanwhile, so that no pod starts with host-local any more; the installer puts the
    // new ones there.
    std::vector<std::string> programs = {"/host/opt/cni/bin/calico",
                                         "/host/opt/cni/bin/host-local"};
    std::chrono::milliseconds settle{5000};  // for calls that have started before
};

// Afterwards every address that a pod of this node has from host-local is allocated to it in the
// datastore, and the folder is gone. Nothing to do without the folder. May be killed at any point
// and run again. Returns the number of addresses that were moved by this call.
// Errors: those of the store, of files, and of addresses that lie in no pool; what was moved stays
// moved, ClusterInformation says ready again.
Result<std::size_t> migrate_host_local(store::Store &store, const IpamSite &site,
                                       const HostLocalPlace &place,
                                       std::chrono::milliseconds budget);

}  // namespace tortie::calico
