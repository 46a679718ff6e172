// SPDX-License-Identifier: Apache-2.0
//
// Opening a file below a directory that somebody else may name a path in. Nothing leads out: no
// "..", no absolute path, no symbolic or magic link, no mount of another file system.
// Source: openat2(2); CVE-2025-52881 shows what a mount over /proc does to a naive open.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie {

// `name` is relative to `dir_fd` ("ipv4/ip_forward"); `flags` as for open(2), O_CLOEXEC is added.
// By openat2(2), by walk_beneath() where that is missing (before Linux 5.6, or a seccomp filter
// that does not know it).
// Errors: as errno says, in Go's words behind `doing`; ELOOP and EXDEV when the name leads out.
Result<UniqueFd> open_beneath(int dir_fd, const std::string &name, int flags,
                              std::string_view doing);

// The same component by component. It sees a mount only when the device number changes, so
// callers check the file system of what they get as well.
Result<UniqueFd> walk_beneath(int dir_fd, const std::string &name, int flags,
                              std::string_view doing);

}  // namespace tortie
