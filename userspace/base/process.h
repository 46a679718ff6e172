// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace tortie {

// What a plugin does before it looks at its input: umask 0077 (files that others read get their
// mode by fchmod), descriptors 0 to 2 open and every other one close-on-exec, default signal
// dispositions and an empty mask but SIGPIPE ignored, no core dump, no new privileges.
//
// Errors: kInvalidInput when the program runs with borrowed privileges (set-user-ID, file
// capabilities): its environment would then belong to somebody else (CVE-2024-33522).
Result<> harden_process();

// A variable of this process's environment, nullptr when it is not set. For where a process
// begins: everything below is handed what it needs.
const char *get_env(const char *name);

}  // namespace tortie
