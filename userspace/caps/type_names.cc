// SPDX-License-Identifier: Apache-2.0
#include "caps/type_names.h"

#include <linux/btf.h>

#include <algorithm>
#include <cstring>

namespace tortie::caps {
namespace {

constexpr std::uint32_t kMagic = 0xeB9F;

struct Block {
    std::string_view types;
    std::string_view names;
};

template <class T>
std::optional<T> read_at(std::string_view data, std::size_t offset_bytes)
{
    T value{};
    if (offset_bytes > data.size() || data.size() - offset_bytes < sizeof(value))
        return std::nullopt;
    std::memcpy(&value, data.data() + offset_bytes, sizeof(value));
    return value;
}

std::optional<std::string_view> part(std::string_view data, std::uint64_t offset_bytes,
                                     std::uint64_t bytes)
{
    if (offset_bytes > data.size() || data.size() - offset_bytes < bytes)
        return std::nullopt;
    return data.substr(offset_bytes, bytes);
}

std::optional<Block> open_block(std::string_view data)
{
    const auto header = read_at<btf_header>(data, 0);
    if (!header || header->magic != kMagic)
        return std::nullopt;
    const std::uint64_t start = header->hdr_len;
    const auto types = part(data, start + header->type_off, header->type_len);
    const auto names = part(data, start + header->str_off, header->str_len);
    if (!types || !names)
        return std::nullopt;
    return Block{*types, *names};
}

// What follows the fixed part of a type.
std::uint32_t tail_bytes(std::uint32_t kind, std::uint32_t members)
{
    switch (kind) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
        return sizeof(std::uint32_t);
    case BTF_KIND_ARRAY:
        return sizeof(btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
        return members * sizeof(btf_member);
    case BTF_KIND_ENUM:
        return members * sizeof(btf_enum);
    case BTF_KIND_FUNC_PROTO:
        return members * sizeof(btf_param);
    case BTF_KIND_DATASEC:
        return members * sizeof(btf_var_secinfo);
    case BTF_KIND_ENUM64:
        return members * sizeof(btf_enum64);
    default:
        return 0;
    }
}

// `each(type)` sees every type of the block in its order; whether they ended where the block does.
template <class Each>
bool for_each_type(std::string_view types, Each &&each)
{
    std::size_t at = 0;
    while (at < types.size()) {
        const auto type = read_at<btf_type>(types, at);
        if (!type)
            return false;
        each(*type);
        at += sizeof(btf_type) + tail_bytes(BTF_INFO_KIND(type->info), BTF_INFO_VLEN(type->info));
    }
    return at == types.size();
}

bool is_name(std::string_view names, std::uint32_t offset_bytes, std::string_view wanted)
{
    return offset_bytes < names.size() && names.size() - offset_bytes > wanted.size() &&
           names.compare(offset_bytes, wanted.size(), wanted) == 0 &&
           names[offset_bytes + wanted.size()] == '\0';
}

}  // namespace

std::optional<TypeCount> count_types(std::string_view data)
{
    const auto block = open_block(data);
    TypeCount count;
    if (!block || !for_each_type(block->types, [&](const btf_type &) { count.types++; }))
        return std::nullopt;
    count.name_bytes = static_cast<std::uint32_t>(block->names.size());
    return count;
}

std::vector<std::uint32_t> find_functions(std::string_view data, TypeCount before,
                                          std::initializer_list<std::string_view> names)
{
    std::vector<std::uint32_t> found(names.size(), 0);
    const auto block = open_block(data);
    if (!block)
        return found;
    std::uint32_t id = before.types;
    for_each_type(block->types, [&](const btf_type &type) {
        ++id;
        if (BTF_INFO_KIND(type.info) != BTF_KIND_FUNC || type.name_off < before.name_bytes)
            return;
        const std::uint32_t offset = type.name_off - before.name_bytes;
        const auto *const name = std::find_if(names.begin(), names.end(), [&](auto wanted) {
            return is_name(block->names, offset, wanted);
        });
        if (name != names.end())
            found[static_cast<std::size_t>(name - names.begin())] = id;
    });
    return found;
}

}  // namespace tortie::caps
