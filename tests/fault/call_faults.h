// SPDX-License-Identifier: Apache-2.0
//
// Which system calls can fail on a healthy node, and how.
#pragma once

#include <vector>

#include "fault/tracer.h"

namespace tortie::test {

struct Fault {
    Disturbance::Kind kind = Disturbance::Kind::kFail;
    int error = 0;
};

// Every way in which `call` is made to fail; empty when it is left alone. Files and directories
// are full, broken, busy or forbidden; netlink loses a message, or the kernel refuses what it
// says; no process can be made. Memory is not among them: an allocation that fails ends a plugin,
// and that is what the kill drills are about.
std::vector<Fault> faults_of(const SystemCall &call);

// A write to stdout: when it fails nobody can be told so.
bool writes_answer(const SystemCall &call);

}  // namespace tortie::test
