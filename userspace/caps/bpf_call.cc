// SPDX-License-Identifier: Apache-2.0
#include "caps/bpf_call.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace tortie::caps::bpf {
namespace {

constexpr std::size_t kLogBytes = 16 << 10;

// bpf(2) takes user addresses as 64-bit numbers.
template <class T>
std::uint64_t address_of(T *pointer)
{
    return reinterpret_cast<std::uintptr_t>(pointer);
}

// The kernel refuses bytes behind the fields it knows unless they are zero, and so they are.
// Before 5.11 a map may be refused for memory that another one has only just given back (EAGAIN).
int call(bpf_cmd command, bpf_attr &attr)
{
    constexpr int kAttempts = 5;
    long result = -1;
    for (int attempt = 0; attempt < kAttempts && result < 0; attempt++) {
        result = ::syscall(SYS_bpf, command, &attr, sizeof(attr));
        if (result < 0 && errno != EAGAIN && errno != EINTR)
            break;
    }
    return static_cast<int>(result);
}

Tried tried(bpf_cmd command, bpf_attr &attr)
{
    const int fd = call(command, attr);
    Tried made;
    made.err = fd < 0 ? errno : 0;
    if (fd >= 0)
        made.fd = UniqueFd(fd);
    return made;
}

// The line that says why: the last one that is not bookkeeping.
std::string reason_in(std::string_view log)
{
    std::string_view reason;
    while (!log.empty()) {
        const std::size_t end = std::min(log.find('\n'), log.size());
        const std::string_view line = log.substr(0, end);
        log.remove_prefix(std::min(end + 1, log.size()));
        if (!line.empty() && !line.starts_with("processed ") && !line.starts_with("verification "))
            reason = line;
    }
    return std::string(reason);
}

}  // namespace

Tried create_map(const MapSpec &spec)
{
    bpf_attr attr{};
    attr.map_type = spec.type;
    attr.key_size = spec.key_bytes;
    attr.value_size = spec.value_bytes;
    attr.max_entries = spec.entries;
    attr.map_flags = spec.flags;
    return tried(BPF_MAP_CREATE, attr);
}

int freeze_map(int map_fd)
{
    bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(map_fd);
    return call(BPF_MAP_FREEZE, attr) < 0 ? errno : 0;
}

Tried load_program(const ProgramSpec &spec)
{
    static constexpr std::array<char, 4> kLicense = {'G', 'P', 'L', '\0'};
    bpf_attr attr{};
    attr.prog_type = spec.type;
    attr.expected_attach_type = spec.attach_type;
    attr.insns = address_of(spec.code.data());
    attr.insn_cnt = static_cast<std::uint32_t>(spec.code.size());
    attr.license = address_of(kLicense.data());
    if (!spec.type_fds.empty())
        attr.fd_array = address_of(spec.type_fds.data());
    Tried first = tried(BPF_PROG_LOAD, attr);
    if (first.err != EINVAL && first.err != EACCES)
        return first;

    // Once more, for the words: a log costs time that programs which load need not spend.
    std::string log(kLogBytes, '\0');
    attr.log_buf = address_of(log.data());
    attr.log_size = static_cast<std::uint32_t>(log.size());
    attr.log_level = 1;
    Tried again = tried(BPF_PROG_LOAD, attr);
    if (again.err != 0)
        again.log = reason_in(log.c_str());
    return again;
}

Tried create_link(int program_fd, int target, std::uint32_t attach_type)
{
    bpf_attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program_fd);
    attr.link_create.target_fd = static_cast<std::uint32_t>(target);
    attr.link_create.attach_type = attach_type;
    return tried(BPF_LINK_CREATE, attr);
}

int pin(int fd, const std::string &path)
{
    bpf_attr attr{};
    attr.bpf_fd = static_cast<std::uint32_t>(fd);
    attr.pathname = address_of(path.c_str());
    return call(BPF_OBJ_PIN, attr) < 0 ? errno : 0;
}

KernelTypes next_kernel_types(std::uint32_t after_id)
{
    KernelTypes types;
    bpf_attr attr{};
    attr.start_id = after_id;
    if (call(BPF_BTF_GET_NEXT_ID, attr) < 0) {
        types.err = errno;
        return types;
    }
    types.id = attr.next_id;

    bpf_attr open{};
    open.btf_id = types.id;
    const int fd = call(BPF_BTF_GET_FD_BY_ID, open);
    if (fd < 0) {
        types.err = errno;
        return types;
    }
    types.fd = UniqueFd(fd);

    std::array<char, 64> name{};
    bpf_btf_info info{};
    info.name = address_of(name.data());
    info.name_len = name.size();
    bpf_attr ask{};
    ask.info.bpf_fd = static_cast<std::uint32_t>(fd);
    ask.info.info_len = sizeof(info);
    ask.info.info = address_of(&info);
    if (call(BPF_OBJ_GET_INFO_BY_FD, ask) < 0) {
        types.err = errno;
        return types;
    }
    types.bytes = info.btf_size;
    if (info.kernel_btf != 0)
        types.name.assign(name.data(), ::strnlen(name.data(), name.size()));
    return types;
}

std::string read_types(const KernelTypes &types)
{
    std::string data(types.bytes, '\0');
    bpf_btf_info info{};
    info.btf = address_of(data.data());
    info.btf_size = types.bytes;
    bpf_attr ask{};
    ask.info.bpf_fd = static_cast<std::uint32_t>(types.fd.get());
    ask.info.info_len = sizeof(info);
    ask.info.info = address_of(&info);
    if (call(BPF_OBJ_GET_INFO_BY_FD, ask) < 0)
        data.clear();
    return data;
}

}  // namespace tortie::caps::bpf
