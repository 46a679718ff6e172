// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

namespace tortie::test {

// A bpffs of the test's own, mounted on `where` (an existing folder; /sys/fs/bpf for what has its
// path built in) in a mount namespace of the test's process. The machine's bpffs is never seen.
//
// Make the first one before any Netns: those that are older stay known to the machine.
class PrivateBpffs {
public:
    // Errors: why this machine does not allow it; a reason to skip.
    static Result<> possible();

    explicit PrivateBpffs(std::string where);
    ~PrivateBpffs();
    PrivateBpffs(const PrivateBpffs &) = delete;
    PrivateBpffs &operator=(const PrivateBpffs &) = delete;
    PrivateBpffs(PrivateBpffs &&) = delete;
    PrivateBpffs &operator=(PrivateBpffs &&) = delete;

    const std::string &path() const { return where_; }

private:
    std::string where_;
};

}  // namespace tortie::test

// First line of SetUp(): a skip that names what is missing.
#define TORTIE_NEEDS_BPF()                                                       \
    if (const auto possible = tortie::test::PrivateBpffs::possible(); !possible) \
    GTEST_SKIP() << "needs a bpffs of its own: " << possible.error().what()
