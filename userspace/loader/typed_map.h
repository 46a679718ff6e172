// SPDX-License-Identifier: Apache-2.0
//
// A BPF map of the kernel as a table of C++ values. The sizes of key and value are compared when
// it is opened, so a program and a library that do not agree never exchange a byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie {

namespace loader {

// A map with keys and values as bytes; what TypedMap is made of. `name` stands in errors.
class RawMap {
public:
    static Result<RawMap> open(const std::string &pin, std::size_t key_bytes,
                               std::size_t value_bytes);
    static Result<RawMap> own(UniqueFd fd, std::string name, std::size_t key_bytes,
                              std::size_t value_bytes);

    int fd() const { return fd_.get(); }
    const std::string &name() const { return name_; }
    std::uint32_t max_entries() const { return max_entries_; }

    Result<bool> find(const void *key, void *value) const;
    Result<> update(const void *key, const void *value, std::uint64_t flags) const;
    Result<bool> erase(const void *key) const;
    Result<> visit(
        const std::function<bool(const std::uint8_t *key, const std::uint8_t *value)> &each) const;

private:
    RawMap(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

    UniqueFd fd_;
    std::string name_;
    std::size_t key_bytes_ = 0;
    std::size_t value_bytes_ = 0;
    std::uint32_t max_entries_ = 0;
};

// The first element of an array map, as shared memory.
class Mapping {
public:
    static Result<Mapping> of(const RawMap &map, std::size_t bytes);

    Mapping(Mapping &&other) noexcept
        : address_(std::exchange(other.address_, nullptr)), bytes_(other.bytes_)
    {
    }
    Mapping(const Mapping &) = delete;
    Mapping &operator=(const Mapping &) = delete;
    Mapping &operator=(Mapping &&) = delete;
    ~Mapping();

    void *address() const { return address_; }

private:
    Mapping(void *address, std::size_t bytes) : address_(address), bytes_(bytes) {}

    void *address_;
    std::size_t bytes_;
};

// Errors: kSystem when the kernel does not say how many there may be.
Result<std::size_t> possible_cpus();

}  // namespace loader

template <class Key, class Value>
class [[nodiscard]] TypedMap {
    static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value>);

public:
    // Errors: kNotFound when nothing is pinned there, kConflict when it is a map of other sizes or
    // no map.
    static Result<TypedMap> open(const std::string &pin)
    {
        TORTIE_TRY(loader::RawMap map, loader::RawMap::open(pin, sizeof(Key), sizeof(Value)));
        return TypedMap(std::move(map));
    }

    int fd() const { return map_.fd(); }
    std::uint32_t max_entries() const { return map_.max_entries(); }

    Result<std::optional<Value>> find(const Key &key) const
    {
        Value value{};
        TORTIE_TRY(const bool found, map_.find(&key, &value));
        return found ? std::optional<Value>(value) : std::nullopt;
    }

    // Afterwards the map has it, whatever it had before. Errors: kSystem, E2BIG when it is full.
    Result<> put(const Key &key, const Value &value) const
    {
        return map_.update(&key, &value, kAny);
    }

    // Only when there was none. Errors: kExists.
    Result<> add(const Key &key, const Value &value) const
    {
        return map_.update(&key, &value, kMustBeNew);
    }

    // Whether there was one.
    Result<bool> erase(const Key &key) const { return map_.erase(&key); }

    // Every entry that is there all the while, once; one that comes or goes meanwhile, or not.
    // Stops when `each` says no.
    Result<> visit(const std::function<bool(const Key &, const Value &)> &each) const
    {
        return map_.visit([&](const std::uint8_t *key_bytes, const std::uint8_t *value_bytes) {
            Key key{};
            Value value{};
            std::memcpy(&key, key_bytes, sizeof(key));
            std::memcpy(&value, value_bytes, sizeof(value));
            return each(key, value);
        });
    }

private:
    static constexpr std::uint64_t kAny = 0;        // BPF_ANY
    static constexpr std::uint64_t kMustBeNew = 1;  // BPF_NOEXIST

    explicit TypedMap(loader::RawMap map) : map_(std::move(map)) {}

    loader::RawMap map_;
};

// A map in which every CPU has a value of its own: counters.
template <class Value>
class [[nodiscard]] PerCpuArray {
    static_assert(std::is_trivially_copyable_v<Value>);

public:
    // Errors as TypedMap::open().
    static Result<PerCpuArray> open(const std::string &pin)
    {
        TORTIE_TRY(loader::RawMap map,
                   loader::RawMap::open(pin, sizeof(std::uint32_t), sizeof(Value)));
        TORTIE_TRY(const std::size_t cpus, loader::possible_cpus());
        return PerCpuArray(std::move(map), cpus);
    }

    std::uint32_t max_entries() const { return map_.max_entries(); }

    // What each CPU has at `index`; nullopt beyond the end.
    Result<std::optional<std::vector<Value>>> find(std::uint32_t index) const
    {
        std::vector<std::uint8_t> bytes(kStride * cpus_);
        TORTIE_TRY(const bool found, map_.find(&index, bytes.data()));
        if (!found)
            return std::nullopt;
        std::vector<Value> values(cpus_);
        for (std::size_t cpu = 0; cpu < cpus_; ++cpu)
            std::memcpy(&values[cpu], &bytes[cpu * kStride], sizeof(Value));
        return values;
    }

private:
    static constexpr std::size_t kStride = (sizeof(Value) + 7) / 8 * 8;

    PerCpuArray(loader::RawMap map, std::size_t cpus) : map_(std::move(map)), cpus_(cpus) {}

    loader::RawMap map_;
    std::size_t cpus_;
};

// The global variables of an object, pinned by BpfObject::pin(), as memory of this process: what
// is written here the programs see at once. Words that several sides write need atomic operations.
template <class Variables>
class [[nodiscard]] MappedVariables {
    static_assert(std::is_trivially_copyable_v<Variables>);

public:
    // Errors as TypedMap::open(); kUnsupported when the map cannot be mapped.
    static Result<MappedVariables> open(const std::string &pin)
    {
        TORTIE_TRY(const loader::RawMap map,
                   loader::RawMap::open(pin, sizeof(std::uint32_t), sizeof(Variables)));
        TORTIE_TRY(loader::Mapping memory, loader::Mapping::of(map, sizeof(Variables)));
        return MappedVariables(std::move(memory));
    }

    Variables *operator->() const { return static_cast<Variables *>(memory_.address()); }
    Variables &operator*() const { return *operator->(); }

private:
    explicit MappedVariables(loader::Mapping memory) : memory_(std::move(memory)) {}

    loader::Mapping memory_;
};

}  // namespace tortie
