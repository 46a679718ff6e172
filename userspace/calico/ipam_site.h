// SPDX-License-Identifier: Apache-2.0
//
// Which datastore and which node addresses are taken from, and where the processes of this node
// meet over it.
#pragma once

#include <string>

#include "calico/host_lock.h"
#include "calico/release_queue.h"
#include "ipam/hint.h"

namespace tortie::calico {

struct IpamSite {
    // The same text for the same datastore, another for another: requests of different stores or
    // configurations are never served together, releases go back to where they belong.
    std::string store;
    std::string node;

    std::string lock_file = kIpamLockFile;
    std::string run_folder = "/run/tortie/ipam";
    std::string queue_folder = kReleaseQueueFolder;

    // Of the embedded datastore: which boot it was last used in (reboot.h). Empty: another store.
    std::string boot_file;
    std::string boot_id_file = "/proc/sys/kernel/random/boot_id";

    // Says that this node's affinities have their labels (spec calico-ipam-datastore.md 1.5).
    std::string upgraded_marker = "/var/run/calico/cni/ipam_upgraded";
};

// Where the processes of this site meet: a hash of store, node and lock file below run_folder.
std::string meeting_folder(const IpamSite &site);

// What the last allocation of this site told the next one; nothing where there is no such file.
ipam::Hint read_hint(const IpamSite &site);

// Nothing depends on its success.
void write_hint(const IpamSite &site, const ipam::Hint &hint);

}  // namespace tortie::calico
