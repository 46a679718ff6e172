// SPDX-License-Identifier: Apache-2.0
//
// The functions of connection tracking that programs may call. They are the kernel's where it has
// nf_conntrack built in, else that module's.
// Source: net/netfilter/nf_conntrack_bpf.c of Linux 6.1.
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "caps/bpf_call.h"
#include "caps/judge.h"
#include "caps/probes.h"
#include "caps/type_names.h"

namespace tortie::caps {
namespace {

constexpr std::string_view kModule = "nf_conntrack";

struct Functions {
    std::int32_t lookup = 0;
    std::int32_t change_timeout = 0;
    std::int32_t release = 0;
    UniqueFd module;  // valid when they are a module's
};

struct Search {
    bpf::KernelTypes kernel;
    bpf::KernelTypes module;
    int err = 0;  // why the search ended early
};

// The kernel's types are the first of all; a module's come behind those of modules and programs
// that were loaded earlier.
Search find_types()
{
    Search search;
    bpf::KernelTypes next = bpf::next_kernel_types(0);
    while (next.err == 0 && !search.module.fd.valid()) {
        const std::uint32_t id = next.id;
        if (next.name == "vmlinux")
            search.kernel = std::move(next);
        else if (next.name == kModule)
            search.module = std::move(next);
        next = bpf::next_kernel_types(id);
    }
    // One that went while we looked is no reason to stop trusting the others.
    search.err = next.err == ENOENT ? 0 : next.err;
    return search;
}

std::optional<Functions> find_in(const std::string &data, TypeCount before)
{
    const auto ids = find_functions(
        data, before, {"bpf_skb_ct_lookup", "bpf_ct_change_timeout", "bpf_ct_release"});
    if (ids[0] == 0 || ids[1] == 0 || ids[2] == 0)
        return std::nullopt;
    return Functions{.lookup = static_cast<std::int32_t>(ids[0]),
                     .change_timeout = static_cast<std::int32_t>(ids[1]),
                     .release = static_cast<std::int32_t>(ids[2]),
                     .module = {}};
}

std::optional<Functions> find_in_module(const bpf::KernelTypes &module, const std::string &kernel)
{
    if (!module.fd.valid())
        return std::nullopt;
    const auto before = count_types(kernel);
    return before ? find_in(bpf::read_types(module), *before) : std::nullopt;
}

// What the datapath's programs do: look a packet's flow up, give it time, let go of it.
bpf::Code lookup_code(const Functions &functions)
{
    constexpr std::int32_t kTupleBytes = 12;    // bpf_sock_tuple of IPv4
    constexpr std::int32_t kOptionsBytes = 12;  // bpf_ct_opts of Linux 5.18
    constexpr std::int32_t kTupleOff = -16;
    constexpr std::int32_t kOptionsOff = -32;
    constexpr std::int32_t kTimeout = 10;
    const std::int16_t place = functions.module.valid() ? 1 : 0;
    return {
        bpf::store_zero(BPF_REG_10, kTupleOff),
        bpf::store_zero(BPF_REG_10, kTupleOff + 8),
        bpf::store_zero(BPF_REG_10, kOptionsOff),
        bpf::store_zero(BPF_REG_10, kOptionsOff + 8),
        bpf::copy(BPF_REG_2, BPF_REG_10),
        bpf::add(BPF_REG_2, kTupleOff),
        bpf::set(BPF_REG_3, kTupleBytes),
        bpf::copy(BPF_REG_4, BPF_REG_10),
        bpf::add(BPF_REG_4, kOptionsOff),
        bpf::set(BPF_REG_5, kOptionsBytes),
        bpf::call_kernel(functions.lookup, place),
        bpf::skip_if_zero(BPF_REG_0, 6),
        bpf::copy(BPF_REG_6, BPF_REG_0),
        bpf::copy(BPF_REG_1, BPF_REG_0),
        bpf::set(BPF_REG_2, kTimeout),
        bpf::call_kernel(functions.change_timeout, place),
        bpf::copy(BPF_REG_1, BPF_REG_6),
        bpf::call_kernel(functions.release, place),
        bpf::set(BPF_REG_0, 0),
        bpf::leave(),
    };
}

Finding load_lookup(std::string_view whose, const Functions &functions)
{
    const std::array<int, 2> type_fds = {0, functions.module.get()};
    return judge("BPF_PROG_LOAD with " + std::string(whose) + " bpf_skb_ct_lookup",
                 bpf::load_program({.type = BPF_PROG_TYPE_SCHED_CLS,
                                    .code = lookup_code(functions),
                                    .type_fds = type_fds}));
}

}  // namespace

Finding probe_ct_kfuncs(const Scratch &)
{
    Search search = find_types();
    // E2BIG: types had no names before Linux 5.11, so no module has types either.
    if (search.err != 0)
        return judge("look through the kernel's types", search.err, {EINVAL, ENOSYS, E2BIG});
    if (!search.kernel.fd.valid())
        return {Support::kNo, "look through the kernel's types: it has none"};
    const std::string kernel = bpf::read_types(search.kernel);
    if (kernel.empty())
        return {Support::kUnknown, "look through the kernel's types: they cannot be read"};
    if (auto functions = find_in_module(search.module, kernel)) {
        functions->module = std::move(search.module.fd);
        return load_lookup("nf_conntrack's", *functions);
    }
    if (const auto functions = find_in(kernel, {}))
        return load_lookup("the kernel's", *functions);
    return {Support::kNo,
            "look through the kernel's types: no bpf_skb_ct_lookup, or no "
            "bpf_ct_change_timeout"};
}

}  // namespace tortie::caps
