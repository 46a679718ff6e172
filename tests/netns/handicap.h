// SPDX-License-Identifier: Apache-2.0
//
// What a process can be made to lack, so that a kernel that has it looks like one that has not.
// Each of these changes the calling process for good: for children.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "caps/capability.h"

namespace tortie::test {

// From here on the system call `number` answers `err`; with `first_argument` only when that is its
// first one, for bpf(2) a command. By seccomp.
void refuse_call(long number, int err, std::optional<std::uint32_t> first_argument = {});

// From here on no socket of this family and protocol can be made.
void refuse_sockets(int family, int protocol, int err);

// In a mount namespace of its own: a file system of this kind over the directory.
void mount_over(const std::string &directory, const char *kind, unsigned long flags = 0);

// The same with an empty writable directory.
inline void hide(const std::string &directory)
{
    mount_over(directory, "tmpfs");
}

// From here on a user of no importance.
void become_nobody();

// What the kernel prober finds in a child that `handicap` was done to first.
caps::Findings probe_with(const std::function<void()> &handicap);

}  // namespace tortie::test
