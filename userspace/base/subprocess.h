// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie {

// One child process: an argument vector, never a shell.
struct Command {
    std::vector<std::string> argv;  // argv[0] is an absolute path
    std::vector<std::string> env;   // the whole environment of the child, "K=V"
    std::string_view input;         // its stdin
    std::chrono::milliseconds deadline{30'000};
    std::size_t max_output_bytes = std::size_t{64} << 20;
};

struct Exit {
    int status = 0;           // exit status, or 128 + signal
    std::string output;       // stdout
    std::string diagnostics;  // stderr, at most 64 KiB of it
};

// PATH, LC_ALL=C: what netfilter's tools get, whatever the caller's environment says.
std::vector<std::string> minimal_environment();

// Runs to the end. The child dies with us, and is killed at the deadline. A status other than 0
// is not an error here: the caller knows what it means.
// Errors: kNotFound when there is no such program, kTryAgain at the deadline, kSystem.
Result<Exit> run_command(const Command &command);

// The first program `name` in the absolute directories of `path` (as in PATH), then in the usual
// ones. Programs that somebody else than root may change are passed over: we run as root.
// Errors: kNotFound.
Result<std::string> find_program(std::string_view name, std::string_view path);

}  // namespace tortie
