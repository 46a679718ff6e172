// SPDX-License-Identifier: Apache-2.0
//
// Functions in the type data (BTF) of the kernel and of its modules: what a program calls a
// function of the kernel by is its number there.
// Source: Documentation/bpf/btf.rst of Linux.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tortie::caps {

// How many types, and how many bytes of names, a block of type data has. A module's numbers and
// names go on where the kernel's end.
struct TypeCount {
    std::uint32_t types = 0;
    std::uint32_t name_bytes = 0;
};

// nullopt when `data` is no whole block of type data.
std::optional<TypeCount> count_types(std::string_view data);

// The numbers of the functions of these names, 0 for one that is not there. `before` counts what
// the block goes on from: nothing for the kernel's own. Every length in `data` is checked.
std::vector<std::uint32_t> find_functions(std::string_view data, TypeCount before,
                                          std::initializer_list<std::string_view> names);

}  // namespace tortie::caps
