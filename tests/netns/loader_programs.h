// SPDX-License-Identifier: Apache-2.0
//
// The smallest programs and maps that the loader can pin and attach, made by hand.
#pragma once

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.h"
#include "loader/pins.h"

namespace tortie::test {

// A classifier that returns `action`.
inline UniqueFd make_program(const std::string &name, int action = -1 /* next program */)
{
    const std::array<bpf_insn, 2> code = {{
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = action},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    }};
    UniqueFd fd(::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name.c_str(), "GPL", code.data(),
                                code.size(), nullptr));
    EXPECT_TRUE(fd.valid()) << name;
    return fd;
}

inline UniqueFd make_map(const std::string &name, bpf_map_type type, unsigned key_bytes,
                         unsigned value_bytes, unsigned entries)
{
    UniqueFd fd(::bpf_map_create(type, name.c_str(), key_bytes, value_bytes, entries, nullptr));
    EXPECT_TRUE(fd.valid()) << name;
    return fd;
}

inline void pin(const UniqueFd &fd, const std::string &path)
{
    EXPECT_EQ(::bpf_obj_pin(fd.get(), path.c_str()), 0) << path;
}

// Fills a folder with programs of these names.
template <class... Names>
PinRoot::Fill programs_named(Names... names)
{
    return [=](const PinFolder &fresh) -> Result<> {
        (pin(make_program(names), fresh.program(names)), ...);
        return {};
    };
}

}  // namespace tortie::test
