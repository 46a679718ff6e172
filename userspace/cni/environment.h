// SPDX-License-Identifier: Apache-2.0
//
// The variables of a call and their rules.
// Source: CNI specification 1.1.0 section 2 (parameters); texts are the Go library's.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "cni/error.h"

namespace tortie::cni {

struct Environment {
    std::string command;
    std::string container_id;
    std::string netns;
    std::string ifname;
    std::string args;
    std::string path;
    std::string search_path;  // PATH: not of the protocol, but where the node's tools are
    bool netns_override = false;
};

using GetEnv = std::function<const char *(const char *)>;

// Reads all of them and checks those that the command requires. Other commands than the six of
// the specification require what all commands do; whether they exist is asked later.
tl::expected<Environment, CniError> read_environment(const GetEnv &get_env);

// ^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$: container ids and network names.
bool is_valid_name(std::string_view text);

}  // namespace tortie::cni
