// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

namespace tortie::installer {

enum class Command {
    kInstall,           // no argument: as upstream's program
    kInstallComponent,  // "component cni install": as later images call it
    kHelp,
    kVersion,
    kUnknown,
};

// What the arguments behind argv[0] ask for.
Command command_of(std::span<const char *const> arguments);

// For people; ends with a line break.
std::string help_text();

// Runs the whole program and gives its exit status: 0, 1 for a failure that was logged, 2 for
// arguments that mean nothing.
int run(std::span<const char *const> arguments);

}  // namespace tortie::installer
