// SPDX-License-Identifier: Apache-2.0
//
// Maps, and the memory they take.
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "caps/bpf_call.h"
#include "caps/judge.h"
#include "caps/probes.h"

namespace tortie::caps {
namespace {

constexpr bpf::MapSpec kArray{.type = BPF_MAP_TYPE_ARRAY};

}  // namespace

Finding probe_bpf_syscall(const Scratch &)
{
    return judge("BPF_MAP_CREATE array", bpf::create_map(kArray));
}

// It stays raised: the maps of later questions count, too.
Finding probe_memlock(const Scratch &)
{
    rlimit limit{};
    ::getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        return {Support::kYes, "RLIMIT_MEMLOCK: there is no limit"};
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    return judge("setrlimit(RLIMIT_MEMLOCK, unlimited)",
                 ::setrlimit(RLIMIT_MEMLOCK, &none) < 0 ? errno : 0, {});
}

// Before 5.11 a map is refused with EPERM when it goes over the limit: a no only because the same
// map is allowed without a limit.
Finding probe_memcg_charging(const Scratch &)
{
    constexpr std::uint32_t kEntries = 8192;  // 64 KiB of values
    bpf::MapSpec spec = kArray;
    spec.entries = kEntries;
    rlimit before{};
    ::getrlimit(RLIMIT_MEMLOCK, &before);
    const rlimit nothing{0, before.rlim_max};
    if (::setrlimit(RLIMIT_MEMLOCK, &nothing) < 0)
        return judge("setrlimit(RLIMIT_MEMLOCK, 0)", errno, {});
    const bpf::Tried limited = bpf::create_map(spec);
    ::setrlimit(RLIMIT_MEMLOCK, &before);
    if (limited.err == EPERM && bpf::create_map(spec).err == 0)
        return {Support::kNo,
                "BPF_MAP_CREATE of 64 KiB: EPERM under RLIMIT_MEMLOCK 0, works without"};
    return judge("BPF_MAP_CREATE of 64 KiB under RLIMIT_MEMLOCK 0", limited);
}

Finding probe_global_data(const Scratch &)
{
    bpf::MapSpec spec = kArray;
    spec.flags = BPF_F_RDONLY_PROG;
    const bpf::Tried map = bpf::create_map(spec);
    if (map.err != 0)
        return judge("BPF_MAP_CREATE array, read-only for programs", map);
    if (const int err = bpf::freeze_map(map.fd.get()); err != 0)
        return judge("BPF_MAP_FREEZE", err, {EINVAL, ENOSYS});
    bpf::Code code;
    bpf::append_value_address(code, BPF_REG_1, map.fd.get());
    code.insert(code.end(), {bpf::load(BPF_REG_0, BPF_REG_1), bpf::leave()});
    return judge(
        "BPF_PROG_LOAD that reads a constant",
        bpf::load_program({.type = BPF_PROG_TYPE_SCHED_CLS, .code = code, .type_fds = {}}));
}

Finding probe_lru_hash(const Scratch &)
{
    constexpr std::uint32_t kEntries = 64;
    return judge("BPF_MAP_CREATE lru_hash",
                 bpf::create_map({.type = BPF_MAP_TYPE_LRU_HASH, .entries = kEntries}));
}

Finding probe_ring_buffer(const Scratch &)
{
    const auto page_bytes = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
    return judge("BPF_MAP_CREATE ringbuf", bpf::create_map({.type = BPF_MAP_TYPE_RINGBUF,
                                                            .key_bytes = 0,
                                                            .value_bytes = 0,
                                                            .entries = page_bytes}));
}

}  // namespace tortie::caps
