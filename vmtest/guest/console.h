// SPDX-License-Identifier: Apache-2.0
//
// The two ways out of a test machine: lines on its second serial port, and the value that QEMU
// ends with.
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie::vm {

// The second serial port, opened as it is: no line discipline changes what a test prints.
Result<UniqueFd> open_report();

// "@@ text", on a line of its own whatever a program printed before.
void report(const UniqueFd &port, std::string_view text);

// Rights for switch_off(), to be taken before the kernel is locked down.
void allow_switch_off();

// Ends the machine: QEMU exits with 2 * code + 1, or with 0 where the kernel does not let us at
// the port. Does not return.
[[noreturn]] void switch_off(const UniqueFd &port, unsigned char code);

}  // namespace tortie::vm
