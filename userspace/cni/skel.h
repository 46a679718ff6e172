// SPDX-License-Identifier: Apache-2.0
//
// The frame around every plugin: environment and stdin become a Request, the handler's answer
// becomes one JSON object on stdout and an exit status. A plugin's main() is a table.
//
// The order of checks decides which error a runtime sees; it is the Go library's (v1.3.0), except
// that the own-namespace test comes before the work and not after it.
// Source: CNI specification 1.1.0 sections 2 and 3.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cni/error.h"
#include "cni/json.h"

namespace tortie::cni {

// A call whose environment and envelope are valid. `config` is the network configuration.
struct Request {
    std::string command;       // ADD, DEL, CHECK, GC or STATUS
    std::string container_id;  // empty in GC and STATUS
    std::string netns;         // path; empty in DEL when the container is gone, or when it is ours
    std::string ifname;        // empty in GC and STATUS
    std::string args;          // CNI_ARGS as given
    std::string path;          // CNI_PATH as given
    std::string search_path;   // PATH as given: where the node's own tools are looked for
    std::string cni_version;   // of the configuration; "0.1.0" when it has none
    std::string network;       // its name
    std::string stdin_text;    // the configuration as given: what a delegate gets
    Json config;
};

// The text to print on stdout, empty for none (DEL, CHECK, GC, STATUS).
using Answer = tl::expected<std::string, CniError>;
using Handler = Answer (*)(const Request &);

// A verb that is nullptr succeeds and does nothing (STATUS and GC of plugins without state).
struct Plugin {
    const char *name = nullptr;
    Handler add = nullptr;
    Handler del = nullptr;
    Handler check = nullptr;
    Handler gc = nullptr;
    Handler status = nullptr;
    const char *about = nullptr;  // what the program calls itself; else "CNI <name> plugin"
    // The log's words for a verb that failed, where people look for some; else "failed".
    std::string (*failure_line)(std::string_view command) = nullptr;
};

// How the frame sees the world, so that tests and fuzzers can be one. get_env gives nullptr for a
// variable that is not set.
struct Call {
    std::function<const char *(const char *)> get_env;
    std::function<Result<std::string>()> read_stdin;
};

// What the caller of the program sees, and why.
struct Outcome {
    int status = 0;
    std::string out;                  // stdout
    std::string err;                  // stderr, beside the log
    std::optional<CniError> failure;  // what `out` says when status is 1
};

// Environment and stdin to an outcome, without touching the process.
Outcome dispatch(const Plugin &plugin, const Call &call);

// "v0.1.0 (tortie)"
std::string_view program_version();

// What main() returns: hardens the process, dispatches the real call, logs one line about it.
// SIGTERM and its like wait until the verb is done: an ADD is finished or undone, never half.
int run(const Plugin &plugin);

}  // namespace tortie::cni
