// SPDX-License-Identifier: Apache-2.0
#include "calico/host_lock.h"

#include "base/file.h"
#include "base/log.h"

namespace tortie::calico {

Result<HostLock> HostLock::acquire(const std::string &path, Deadline deadline)
{
    // 0755 for what is missing of /var/run/calico: calico-node and Felix live there, too.
    const std::size_t slash = path.find_last_of('/');
    if (slash != std::string::npos && slash > 0) {
        // What is wrong with it shows when the file is opened.
        (void)make_directories(path.substr(0, slash), 0755);
    }
    log::debug("About to acquire host-wide IPAM lock.", {{"path", path}});
    auto lock = FileLock::acquire(path, 0600, deadline.left());
    if (lock) {
        log::debug("Acquired host-wide IPAM lock.");
        return HostLock(*std::move(lock));
    }
    if (lock.error().kind() == ErrorKind::kTryAgain)
        return fail(std::move(lock).error().within("wait for the host-wide IPAM lock"));
    log::warn("Failed to grab IPAM lock, may contend for datastore updates",
              {{"error", lock.error().what()}});
    return HostLock(std::nullopt);
}

}  // namespace tortie::calico
