// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "loader/bpf_error.h"
#include "loader/typed_map.h"

namespace tortie::loader {
namespace {

// So many entries a system call. A bucket of a hash table is never cut: the kernel asks for more
// room (ENOSPC) when one does not fit.
constexpr std::uint32_t kEntriesAtOnce = 512;
constexpr std::uint32_t kMaxEntriesAtOnce = 1U << 18;

// What the kernel keeps between two calls: the number of a bucket, or a key, as large as it is.
constexpr std::size_t kCursorBytes = 512;

}  // namespace

Result<std::size_t> possible_cpus()
{
    const int cpus = ::libbpf_num_possible_cpus();
    if (cpus <= 0)
        return fail(bpf_error(cpus, "count the possible CPUs"));
    return static_cast<std::size_t>(cpus);
}

Result<Mapping> Mapping::of(const RawMap &map, std::size_t bytes)
{
    void *address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.fd(), 0);
    if (address == MAP_FAILED)
        return fail_errno(errno, "map the memory of " + map.name());
    return Mapping(address, bytes);
}

Mapping::~Mapping()
{
    if (address_ != nullptr)
        ::munmap(address_, bytes_);
}

Result<RawMap> RawMap::open(const std::string &pin, std::size_t key_bytes, std::size_t value_bytes)
{
    UniqueFd fd(::bpf_obj_get(pin.c_str()));
    if (!fd.valid())
        return fail(bpf_error(-errno, "open " + pin));
    return own(std::move(fd), pin.substr(pin.rfind('/') + 1), key_bytes, value_bytes);
}

Result<RawMap> RawMap::own(UniqueFd fd, std::string name, std::size_t key_bytes,
                           std::size_t value_bytes)
{
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (const int err = ::bpf_obj_get_info_by_fd(fd.get(), &info, &size); err != 0)
        return fail(bpf_error(err, "look at map " + name));
    // A program or a link has other numbers here, and none of them is a type of map.
    if (info.key_size != key_bytes || info.value_size != value_bytes || info.max_entries == 0)
        return fail(ErrorKind::kConflict, "map " + name + " has keys of " +
                                              std::to_string(info.key_size) + " and values of " +
                                              std::to_string(info.value_size) +
                                              " bytes, expected are " + std::to_string(key_bytes) +
                                              " and " + std::to_string(value_bytes));
    RawMap map(std::move(fd), std::move(name));
    map.key_bytes_ = key_bytes;
    map.value_bytes_ = value_bytes;
    map.max_entries_ = info.max_entries;
    return map;
}

Result<bool> RawMap::find(const void *key, void *value) const
{
    const int err = ::bpf_map_lookup_elem(fd_.get(), key, value);
    if (err == 0)
        return true;
    if (err == -ENOENT)
        return false;
    return fail(bpf_error(err, "look into map " + name_));
}

Result<> RawMap::update(const void *key, const void *value, std::uint64_t flags) const
{
    const int err = ::bpf_map_update_elem(fd_.get(), key, value, flags);
    if (err == 0)
        return {};
    if (err == -EEXIST)
        return fail(ErrorKind::kExists, "write map " + name_ + ": there is such an entry");
    if (err == -E2BIG)
        return fail(ErrorKind::kSystem, "write map " + name_ + ": it is full");
    return fail(bpf_error(err, "write map " + name_));
}

Result<bool> RawMap::erase(const void *key) const
{
    const int err = ::bpf_map_delete_elem(fd_.get(), key);
    if (err == 0)
        return true;
    if (err == -ENOENT)
        return false;
    return fail(bpf_error(err, "delete from map " + name_));
}

Result<> RawMap::visit(
    const std::function<bool(const std::uint8_t *key, const std::uint8_t *value)> &each) const
{
    std::uint32_t room = std::min(kEntriesAtOnce, max_entries_);
    std::vector<std::uint8_t> keys(room * key_bytes_);
    std::vector<std::uint8_t> values(room * value_bytes_);
    std::vector<std::uint8_t> cursor(std::max(kCursorBytes, key_bytes_));
    void *from = nullptr;
    while (true) {
        std::uint32_t count = room;
        const int err = ::bpf_map_lookup_batch(fd_.get(), from, cursor.data(), keys.data(),
                                               values.data(), &count, nullptr);
        if (err == -ENOSPC && room < kMaxEntriesAtOnce) {
            room *= 2;
            keys.resize(room * key_bytes_);
            values.resize(room * value_bytes_);
            continue;
        }
        if (err != 0 && err != -ENOENT)  // ENOENT: these are the last ones
            return fail(bpf_error(err, "list map " + name_));
        for (std::uint32_t i = 0; i < count; ++i)
            if (!each(&keys[i * key_bytes_], &values[i * value_bytes_]))
                return {};
        if (err == -ENOENT)
            return {};
        from = cursor.data();
    }
}

}  // namespace tortie::loader
