// SPDX-License-Identifier: Apache-2.0
//
// The lock that Calico's IPAM programs of one node share, Go's among them, so that they do not
// contend for the node's blocks. It only saves work: what keeps addresses unique is the
// compare-and-swap of blocks. So it is held around "read block, write block" and not longer.
// Source: spec calico-ipam-datastore.md 1.7.
#pragma once

#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/file_lock.h"
#include "base/result.h"

namespace tortie::calico {

constexpr const char *kIpamLockFile = "/var/run/calico/ipam.lock";

class [[nodiscard]] HostLock {
public:
    // flock(2) on `path`, held until the object dies. Directories are made. Where the file cannot
    // be had (a read-only file system) there is a warning and no lock, as with upstream.
    // Errors: kTryAgain when somebody else holds it until the deadline.
    static Result<HostLock> acquire(const std::string &path, Deadline deadline);

private:
    explicit HostLock(std::optional<FileLock> lock) : lock_(std::move(lock)) {}

    std::optional<FileLock> lock_;
};

}  // namespace tortie::calico
