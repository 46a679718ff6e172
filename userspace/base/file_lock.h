// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie {

// flock(2), exclusive, held until the object dies; the kernel drops it when the process is killed.
// The file is created when missing and never removed: unlinking a lock file lets two holders in.
class [[nodiscard]] FileLock {
public:
    // Blocks until the lock is ours, at most `deadline`. A new file gets `mode` whatever the
    // umask; directories are not created.
    // Uses SIGALRM meanwhile: for programs with one thread.
    // Errors: kTryAgain at the deadline (CNI code 11), kSystem.
    static Result<FileLock> acquire(const std::string &path, mode_t mode,
                                    std::chrono::milliseconds deadline);

    // The same without waiting; nullopt while somebody else holds it.
    static Result<std::optional<FileLock>> try_acquire(const std::string &path, mode_t mode);

private:
    explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

}  // namespace tortie
