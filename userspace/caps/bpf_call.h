// SPDX-License-Identifier: Apache-2.0
//
// bpf(2) itself, one function a command that probing needs. Everything here reports errno as it
// came: what it means is for the one who asked.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "caps/bpf_code.h"

namespace tortie::caps::bpf {

struct Tried {
    UniqueFd fd;      // valid when err is 0 and the command makes one
    int err = 0;      // errno
    std::string log;  // the verifier's own line about a program that it refused
};

struct MapSpec {
    std::uint32_t type = 0;  // BPF_MAP_TYPE_*
    std::uint32_t key_bytes = 4;
    std::uint32_t value_bytes = 8;
    std::uint32_t entries = 1;
    std::uint32_t flags = 0;
};
Tried create_map(const MapSpec &spec);

// From here on user space cannot change it.
int freeze_map(int map_fd);

struct ProgramSpec {
    std::uint32_t type = 0;         // BPF_PROG_TYPE_*
    std::uint32_t attach_type = 0;  // what it is meant for, where the type has several
    std::span<const bpf_insn> code;
    std::span<const int> type_fds;  // descriptors of types, for call_kernel()
};
Tried load_program(const ProgramSpec &spec);

// `target` is an interface's index or a cgroup's descriptor, as `attach_type` wants it.
Tried create_link(int program_fd, int target, std::uint32_t attach_type);

int pin(int fd, const std::string &path);

// The types that the kernel and its modules carry, one after the other; ENOENT behind the last.
struct KernelTypes {
    UniqueFd fd;
    int err = 0;
    std::uint32_t id = 0;
    std::uint32_t bytes = 0;  // size of the data
    std::string name;         // vmlinux, or the module; empty for types of a program
};
KernelTypes next_kernel_types(std::uint32_t after_id);

// The data of such types. Empty when they cannot be read.
std::string read_types(const KernelTypes &types);

}  // namespace tortie::caps::bpf
