// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "store/codec_json.h"
#include "store/codec_kinds.h"

namespace tortie::store {
namespace {

const char *claim_time_key(Spelling spelling)
{
    return spelling == Spelling::kEtcd ? "affinity_claim_time" : "affinityClaimTime";
}

// Of a block that may exist; the bound keeps a hostile prefix from costing memory.
Result<std::size_t> size_of(const Cidr &cidr)
{
    const unsigned bits = width_bits(cidr.addr.family()) - cidr.prefix;
    if (bits > kMaxBlockBits)
        return malformed("cidr", "is too large for a block");
    if (cidr.network() != cidr.addr)
        return malformed("cidr", "has host bits set");
    return std::size_t{1} << bits;
}

Result<std::optional<std::uint32_t>> allocation_of(const json &element)
{
    if (element.is_null())
        return std::nullopt;
    const std::optional<std::int64_t> index = integer_of(element);
    if (!index || *index < 0 || *index > std::numeric_limits<std::uint32_t>::max())
        return malformed("allocations", "holds something that is no index");
    return static_cast<std::uint32_t>(*index);
}

Result<> read_allocations(json &spec, std::size_t size, Block &block)
{
    TORTIE_TRY(const json list, take_array(spec, "allocations"));
    if (list.size() != size)
        return malformed("allocations", std::to_string(list.size()) + " entries in a block of " +
                                            std::to_string(size));
    block.allocations.reserve(size);
    for (const json &element : list) {
        TORTIE_TRY(const auto index, allocation_of(element));
        block.allocations.push_back(index);
    }
    return {};
}

Result<> read_unallocated(json &spec, std::size_t size, Block &block)
{
    TORTIE_TRY(const json list, take_array(spec, "unallocated"));
    std::vector<std::uint8_t> seen(size, 0);
    block.unallocated.reserve(list.size());
    for (const json &element : list) {
        const std::optional<std::int64_t> ordinal = integer_of(element);
        if (!ordinal || *ordinal < 0 || static_cast<std::size_t>(*ordinal) >= size)
            return malformed("unallocated", "holds something that is no address of the block");
        if (std::exchange(seen[static_cast<std::size_t>(*ordinal)], 1) != 0)
            return malformed("unallocated", "holds " + std::to_string(*ordinal) + " twice");
        block.unallocated.push_back(static_cast<std::uint32_t>(*ordinal));
    }
    return {};
}

Result<Attribute> attribute_of(json object)
{
    if (!object.is_object())
        return malformed("attributes", "holds something that is not an object");
    Attribute attribute;
    TORTIE_TRY(attribute.handle_id, take_optional_text(object, "handle_id"));
    TORTIE_TRY(attribute.secondary, take_map(object, "secondary"));
    TORTIE_TRY(attribute.alternate, take_map(object, "alternateOwnerAttrs"));
    TORTIE_TRY(attribute.released_at, take_text(object, "releasedAt"));
    attribute.unknown = text_or_empty(object);
    return attribute;
}

json object_from(const Attribute &attribute)
{
    json object = object_of(attribute.unknown);
    if (attribute.handle_id)
        object["handle_id"] = *attribute.handle_id;
    if (attribute.secondary)
        object["secondary"] = *attribute.secondary;
    if (attribute.alternate)
        object["alternateOwnerAttrs"] = *attribute.alternate;
    set_text(object, "releasedAt", attribute.released_at);
    return object;
}

Result<> read_attributes(json &spec, Block &block)
{
    TORTIE_TRY(json list, take_array(spec, "attributes"));
    block.attributes.reserve(list.size());
    for (json &element : list) {
        TORTIE_TRY(Attribute attribute, attribute_of(std::move(element)));
        block.attributes.push_back(std::move(attribute));
    }
    return {};
}

Result<> read_sequence(json &spec, Block &block)
{
    constexpr const char *kKey = "sequenceNumberForAllocation";
    TORTIE_TRY(block.sequence_number, take_integer(spec, "sequenceNumber"));
    TORTIE_TRY(const json map, take_object(spec, kKey));
    for (const auto &[key, value] : map.items()) {
        const auto ordinal = parse_number<std::uint32_t>(key);
        const std::optional<std::int64_t> number = integer_of(value);
        if (!ordinal || !number)
            return malformed(kKey, "holds something that is no number");
        block.sequence_for_allocation.emplace(*ordinal, *number);
    }
    return {};
}

json list_of(const std::vector<std::optional<std::uint32_t>> &allocations)
{
    json list = json::array();
    for (const std::optional<std::uint32_t> &index : allocations)
        list.push_back(index ? json(*index) : json(nullptr));
    return list;
}

}  // namespace

Result<> read(json &spec, Spelling spelling, Block &block)
{
    TORTIE_TRY(const std::string text, take_text(spec, "cidr"));
    const std::optional<Cidr> cidr = Cidr::parse(text);
    if (!cidr)
        return malformed("cidr", "is not a network");
    block.cidr = *cidr;
    TORTIE_TRY(const std::size_t size, size_of(block.cidr));
    TORTIE_TRY(block.affinity, take_text(spec, "affinity"));
    TORTIE_TRY(block.claim_time, take_text(spec, claim_time_key(spelling)));
    TORTIE_DO(read_allocations(spec, size, block));
    TORTIE_DO(read_unallocated(spec, size, block));
    TORTIE_DO(read_attributes(spec, block));
    TORTIE_DO(read_sequence(spec, block));
    TORTIE_TRY(const std::optional<bool> deleted, take_flag(spec, "deleted"));
    block.deleted = deleted.value_or(false);
    return {};
}

void write(const Block &block, Spelling spelling, json &spec)
{
    spec["cidr"] = block.cidr.to_string();
    set_text(spec, "affinity", block.affinity);
    if (spelling == Spelling::kEtcd && block.affinity.empty())
        spec["affinity"] = nullptr;
    set_text(spec, claim_time_key(spelling), block.claim_time);
    spec["allocations"] = list_of(block.allocations);
    spec["unallocated"] = block.unallocated;
    json attributes = json::array();
    for (const Attribute &attribute : block.attributes)
        attributes.push_back(object_from(attribute));
    spec["attributes"] = std::move(attributes);
    spec["sequenceNumber"] = block.sequence_number;
    json sequence = json::object();
    for (const auto &[ordinal, number] : block.sequence_for_allocation)
        sequence[std::to_string(ordinal)] = number;
    spec["sequenceNumberForAllocation"] = std::move(sequence);
    spec["deleted"] = block.deleted;
    // Unused, and required by the schema of both CRDs.
    if (spelling != Spelling::kEtcd && !spec.contains("strictAffinity"))
        spec["strictAffinity"] = false;
}

}  // namespace tortie::store
