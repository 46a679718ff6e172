// SPDX-License-Identifier: Apache-2.0
//
// `install status | dump | uninstall | datapath | probe`: what follows the word, to an exit status.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace tortie::installer {

// nullopt: no such command. 0: done, and the node is all right; 1: failed, or it is not; 2:
// arguments that mean nothing.
std::optional<int> run_node_command(std::string_view name, std::span<const char *const> arguments);

}  // namespace tortie::installer
