// SPDX-License-Identifier: Apache-2.0
//
// A plugin run under ptrace(2), stopped at every boundary of every system call, and disturbed at
// one of them: killed there, or told that the call failed.
//
//   const auto trace = run_traced(call, {.kind = Disturbance::Kind::kKillAtExit, .at = {0, 17}});
//
// Calls are counted from 0 in each process: process 0 is the plugin from its execve() on, the
// others are its children in the order of their birth, until their own execve(). What a program
// does that a plugin starts (iptables-restore) is not the plugin's, and is not traced.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "harness/plugin_call.h"

namespace tortie::test {

struct SystemCall {
    std::uint64_t number = 0;  // of <sys/syscall.h>
    std::array<std::uint64_t, 6> args{};
    bool on_netlink = false;  // its first argument is a netlink socket

    std::string name() const;  // "openat", or the number
};

struct CallSite {
    std::size_t process = 0;
    std::size_t index = 0;
    // When set, only calls of that number are counted: how often a plugin reads from its children
    // is not the same in every run, how often it makes them is.
    std::optional<std::uint64_t> number = {};
};

struct Disturbance {
    enum class Kind {
        kNone,
        kKillAtEntry,  // SIGKILL before the call has any effect
        kKillAtExit,   // SIGKILL after the call, before the process sees its result
        kFail,         // the call is not made; the process is told `error`
        kRefuse,       // a message to a netlink socket is not delivered, and the next one that is
                       // received there says that the kernel refused it with `error`
    };

    Kind kind = Kind::kNone;
    CallSite at;
    int error = 0;  // positive errno
};

struct Trace {
    int status = -1;  // exit status, or 128 + signal
    std::string out;
    std::string err;
    std::vector<std::vector<SystemCall>> calls;  // of each process
    bool disturbed = false;                      // the call site was reached
};

// Empty when this process may trace; otherwise why not.
std::string why_tracing_is_impossible();

// Blocks until the plugin and everything that it has started are gone: this process becomes the
// one that orphans are given to (PR_SET_CHILD_SUBREAPER). It must have no other children.
// Errors: kSystem; kTryAgain when call.deadline has passed, everything is killed then.
Result<Trace> run_traced(const PluginCall &call, const Disturbance &disturbance);

}  // namespace tortie::test
