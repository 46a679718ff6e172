// SPDX-License-Identifier: Apache-2.0
//
// What a fuzz target makes of its bytes, so that a corpus can be read and written by people:
//
//   CNI_COMMAND=ADD                 the environment, a variable a line
//   CNI_CONTAINERID=c1
//                                   an empty line
//   {"cniVersion": "1.1.0", ...     stdin
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cni/skel.h"

namespace tortie::fuzz {

struct PluginInput {
    std::map<std::string, std::string, std::less<>> env;
    std::string config;
};

std::string_view as_text(const std::uint8_t *data, std::size_t size);

PluginInput read_input(std::string_view text);

// The call through the whole protocol. Aborts when the outcome is none that a runtime can use.
void dispatch(const cni::Plugin &plugin, const PluginInput &input);

// Aborts, naming what was not true: what libFuzzer takes for a crash.
void require(bool truth, const char *what);

}  // namespace tortie::fuzz
