// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cni/error.h"
#include "sys/link.h"
#include "tuning/settings.h"

namespace tortie::tuning {

// Reads and changes the settings of one interface, and of the namespace the thread is in.
//
// I1. apply() notes what was there before it tries a change, because one that fails may have been
//     made: the kernel took a part of a value, or its answer was lost. undo() takes back what was
//     noted, and finds out what the link still has.
class Tuner {
public:
    // With the interface, as it is now. Errors: `failed to get "<ifname>": Link not found`
    // (kNotFound), or what the kernel says.
    static Result<Tuner> with_link(const std::string &ifname);

    // For sysctls alone.
    static Tuner without_link() { return {}; }

    // The values now of everything that `wanted` names, but for sysctls that nobody can read.
    // Errors: a sysctl does not exist, "open /proc/sys/net/...: no such file or directory".
    Result<Settings> read(const Settings &wanted) const;

    // Sets everything in `wanted`, in the order of the original plugin: sysctls, MAC, promisc,
    // MTU, allmulti, queue length. `before` is what read() gave. Stops at the first failure,
    // whose message is the kernel's refusal and nothing else, with what was refused as its cause.
    tl::expected<void, cni::CniError> apply(const Settings &wanted, const Settings &before);

    // Puts back what apply() changed. False, and logged, when something could not be.
    bool undo();

    // Sets every value in `before` that it can: MTU, MAC, promisc, allmulti, queue length, then
    // sysctls, some of which vanish at a small MTU. Sysctls that are gone are not missed. False,
    // and logged, when the kernel refused one.
    bool restore(const Settings &before);

    const Link &link() const { return *link_; }

private:
    Tuner() = default;

    tl::expected<void, cni::CniError> apply_to_link(const Settings &wanted, const Settings &before);
    bool restore_link(const Settings &before);

    std::optional<NetlinkSocket> socket_;
    std::optional<Link> link_;
    Settings changed_;
};

}  // namespace tortie::tuning
