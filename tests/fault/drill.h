// SPDX-License-Identifier: Apache-2.0
//
// The drills that every plugin goes through: killed between any two system calls, and told of every
// failure that a call of its kind can have. To the kernel, and to whoever comes next, a process
// that dies after one call is the same as one that dies before the next, so each boundary is
// visited once; what the dynamic loader does before main() is not there in what ships, and is left
// out. What must be true afterwards:
//
// - after a killed ADD: DEL succeeds and leaves the node as it was before; ADD of the same
//   container then succeeds with its full effect;
// - after a killed DEL: DEL succeeds and leaves the node as it was before the ADD;
// - an ADD that failed printed a CNI error, exited with 1 and left the node as it was; one that
//   succeeded has its full effect;
// - a DEL that succeeded has removed everything, and one that failed did not keep the next one
//   from it.
#pragma once

#include <functional>
#include <string>

#include "fault/node.h"
#include "harness/plugin_call.h"

namespace tortie::test {

struct Drill {
    PluginCall add;
    PluginCall del;

    // What else is on the node. Runs on an empty one, at the start and after each finding.
    std::function<Result<>()> furnish;

    // Brings the node to where each run starts; runs again before each point. Empty: the node is
    // where the last DEL left it.
    std::function<Result<>()> prepare;

    // tuning's DEL always succeeds; what it could not do it leaves for the next one.
    bool del_always_succeeds = false;

    // It waits for the kernel, and how often it has to look is not the same in every run.
    bool polls_the_kernel = false;

    // What is compared. Leaves out what may differ from run to run (an allocator's pointer).
    std::function<Snapshot()> look;
};

// What a drill did and what it found. `findings` is empty when all went well, and otherwise a text
// for people: which run, which call, what was wrong.
struct DrillReport {
    std::size_t points = 0;  // runs that were disturbed
    bool complete = false;   // the run after the last point ended by itself
    std::string findings;
};

DrillReport kill_add_everywhere(const Drill &drill);
DrillReport kill_del_everywhere(const Drill &drill);
DrillReport fail_add_everywhere(const Drill &drill);
DrillReport fail_del_everywhere(const Drill &drill);

}  // namespace tortie::test
