// SPDX-License-Identifier: Apache-2.0
//
// One program of the plan, as process 1 runs it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace tortie::vm {

struct Program {
    std::vector<std::string> argv;  // argv[0] is an absolute path
    std::vector<std::string> env;   // "K=V"
    std::chrono::seconds deadline{};
    bool interactive = false;  // a shell: the serial port is its terminal
};

// Runs it with the port as its output, and reaps whoever else ends meanwhile. Afterwards no
// process but this one and the kernel's is there. Returns "exited N", "killed N" (the signal) or
// "overdue".
std::string run(const Program &program, const UniqueFd &port);

}  // namespace tortie::vm
