// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "caps/prober.h"

namespace tortie {

struct ProbeArguments {
    bool help = false;
    bool json = false;
    bool dump = false;              // what is loaded now, instead of what could be
    std::string datapath = "auto";  // what to decide for
    std::string disabled;           // TORTIE_DISABLE
};

// What stands behind the command's name. Errors: kInvalidInput.
Result<ProbeArguments> parse_probe_arguments(std::span<const char *const> arguments);

std::string_view probe_help();

// What is printed: the table and the decision, or the report as JSON. Probes now and writes no
// report: whoever asks wants to know how it is.
// Errors: kInvalidInput for a name that there is not, kUnsupported when the wished-for datapath
// cannot be had.
Result<std::string> run_probe(const ProbeArguments &arguments, caps::Prober &prober);

}  // namespace tortie
