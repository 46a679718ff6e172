// SPDX-License-Identifier: Apache-2.0
//
// Instructions of BPF, for programs of a few lines that need no compiler and no object file.
// Source: include/uapi/linux/bpf.h.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

namespace tortie::caps::bpf {

using Code = std::vector<bpf_insn>;

constexpr bpf_insn insn(unsigned code, unsigned dst, unsigned src, std::int16_t off,
                        std::int32_t imm)
{
    bpf_insn made{};
    made.code = static_cast<std::uint8_t>(code);
    made.dst_reg = dst & 0xf;
    made.src_reg = src & 0xf;
    made.off = off;
    made.imm = imm;
    return made;
}

constexpr bpf_insn set(unsigned dst, std::int32_t value)
{
    return insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}
constexpr bpf_insn copy(unsigned dst, unsigned src)
{
    return insn(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}
constexpr bpf_insn add(unsigned dst, std::int32_t value)
{
    return insn(BPF_ALU64 | BPF_ADD, dst, 0, 0, value);
}
// Eight bytes of zero at dst + off_bytes.
constexpr bpf_insn store_zero(unsigned dst, std::int16_t off_bytes)
{
    return insn(BPF_ST | BPF_MEM | BPF_DW, dst, 0, off_bytes, 0);
}
constexpr bpf_insn load(unsigned dst, unsigned src)
{
    return insn(BPF_LDX | BPF_MEM | BPF_DW, dst, src, 0, 0);
}
constexpr bpf_insn skip_if_zero(unsigned reg, std::int16_t instructions)
{
    return insn(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, instructions, 0);
}
constexpr bpf_insn call_helper(std::int32_t number)
{
    return insn(BPF_JMP | BPF_CALL, 0, 0, 0, number);
}
// `place` is where the descriptor of the types that `id` belongs to stands in the program's list
// of descriptors, 0 for the kernel's own types.
constexpr bpf_insn call_kernel(std::int32_t id, std::int16_t place)
{
    return insn(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, place, id);
}
constexpr bpf_insn leave()
{
    return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}
// The address of the value in an array of one: two instructions.
inline void append_value_address(Code &code, unsigned dst, int map_fd)
{
    code.push_back(insn(BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_VALUE, 0, map_fd));
    code.push_back(insn(0, 0, 0, 0, 0));
}

}  // namespace tortie::caps::bpf
