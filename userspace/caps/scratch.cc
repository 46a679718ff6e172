// SPDX-License-Identifier: Apache-2.0
#include "caps/scratch.h"

#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <utility>

#include "caps/judge.h"

namespace tortie::caps {
namespace {

int own_mounts()
{
    if (::unshare(CLONE_NEWNS) < 0)
        return errno;
    // Nothing that is mounted from here on reaches the node.
    if (::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        return errno;
    return 0;
}

}  // namespace

Scratch Scratch::enter(std::string search_path)
{
    Scratch scratch(std::move(search_path));
    scratch.network_ =
        judge("a network namespace to probe in", ::unshare(CLONE_NEWNET) < 0 ? errno : 0, {});
    scratch.mounts_ = judge("a mount namespace to probe in", own_mounts(), {});
    return scratch;
}

}  // namespace tortie::caps
