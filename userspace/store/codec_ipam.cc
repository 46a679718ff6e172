// SPDX-License-Identifier: Apache-2.0
//
// Affinities, handles and the allocator's configuration.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "store/codec_json.h"
#include "store/codec_kinds.h"

namespace tortie::store {
namespace {

// crd.projectcalico.org/v1 has a text here, "" in the oldest documents; the others a boolean.
Result<bool> take_deleted(json &spec)
{
    const auto found = spec.find("deleted");
    if (found == spec.end() || !found->is_string()) {
        TORTIE_TRY(const std::optional<bool> flag, take_flag(spec, "deleted"));
        return flag.value_or(false);
    }
    TORTIE_TRY(const std::string text, take_text(spec, "deleted"));
    if (!text.empty() && text != "true" && text != "false")
        return malformed("deleted", "is not true or false");
    return text == "true";
}

// The word of kOther stays in `spec`.
Result<AffinityState> take_state(json &spec)
{
    TORTIE_TRY(const std::string word, take_text(spec, "state"));
    if (word.empty() || word == "confirmed")
        return AffinityState::kConfirmed;
    if (word == "pending")
        return AffinityState::kPending;
    if (word == "pendingDeletion")
        return AffinityState::kPendingDeletion;
    spec["state"] = word;
    return AffinityState::kOther;
}

const char *word_of(AffinityState state)
{
    switch (state) {
    case AffinityState::kPending:
        return "pending";
    case AffinityState::kPendingDeletion:
        return "pendingDeletion";
    case AffinityState::kConfirmed:
    case AffinityState::kOther:
        break;
    }
    return "confirmed";
}

struct ConfigKeys {
    const char *strict_affinity;
    const char *auto_allocate_blocks;
};

constexpr ConfigKeys keys_of(Spelling spelling)
{
    return spelling == Spelling::kEtcd ? ConfigKeys{"strict_affinity", "auto_allocate_blocks"}
                                       : ConfigKeys{"strictAffinity", "autoAllocateBlocks"};
}

constexpr const char *kPersistence = "kubeVirtVMAddressPersistence";

Result<bool> take_persistence(json &spec)
{
    const Result<std::string> word = take_text(spec, kPersistence);
    if (!word)
        return fail(word.error());
    return *word != "Disabled";
}

void set_number(json &spec, const char *key, std::int64_t value)
{
    if (value != 0)
        spec[key] = value;
}

}  // namespace

Result<> read(json &spec, Spelling spelling, Affinity &affinity)
{
    TORTIE_TRY(affinity.state, take_state(spec));
    TORTIE_TRY(affinity.deleted, take_deleted(spec));
    if (spelling == Spelling::kEtcd)
        return {};
    TORTIE_TRY(affinity.host, take_text(spec, "node"));
    TORTIE_TRY(const std::string type, take_text(spec, "type"));
    if (!type.empty() && type != "host" && type != "virtual")
        return malformed("type", "is neither host nor virtual");
    affinity.type = type == "virtual" ? AffinityType::kVirtual : AffinityType::kHost;
    TORTIE_TRY(const std::string text, take_text(spec, "cidr"));
    const std::optional<Cidr> cidr = Cidr::parse(text);
    if (!cidr || cidr->network() != cidr->addr)
        return malformed("cidr", "is not a network");
    affinity.cidr = *cidr;
    return {};
}

void write(const Affinity &affinity, Spelling spelling, json &spec)
{
    if (affinity.state != AffinityState::kOther)
        spec["state"] = word_of(affinity.state);
    if (spelling == Spelling::kCrdV1)
        spec["deleted"] = affinity.deleted ? "true" : "false";
    else
        spec["deleted"] = affinity.deleted;
    if (spelling == Spelling::kEtcd)
        return;
    spec["node"] = affinity.host;
    spec["type"] = affinity.type == AffinityType::kHost ? "host" : "virtual";
    spec["cidr"] = affinity.cidr.to_string();
}

Result<> read(json &spec, Spelling spelling, Handle &handle)
{
    if (spelling != Spelling::kEtcd) {
        TORTIE_TRY(handle.id, take_text(spec, "handleID"));
    }
    TORTIE_TRY(const json blocks, take_object(spec, "block"));
    for (const auto &[key, value] : blocks.items()) {
        const std::optional<Cidr> cidr = Cidr::parse(key);
        const std::optional<std::int64_t> count = integer_of(value);
        if (!cidr || !count)
            return malformed("block", "holds something that is no count of a block");
        handle.blocks.emplace(Cidr{cidr->network(), cidr->prefix}.to_string(), *count);
    }
    TORTIE_TRY(const std::optional<bool> deleted, take_flag(spec, "deleted"));
    handle.deleted = deleted.value_or(false);
    return {};
}

void write(const Handle &handle, Spelling spelling, json &spec)
{
    if (spelling != Spelling::kEtcd)
        spec["handleID"] = handle.id;
    spec["block"] = handle.blocks;
    spec["deleted"] = handle.deleted;
}

Result<> read(json &spec, Spelling spelling, IpamConfig &config)
{
    const ConfigKeys keys = keys_of(spelling);
    TORTIE_TRY(const std::optional<bool> strict, take_flag(spec, keys.strict_affinity));
    TORTIE_TRY(const std::optional<bool> automatic, take_flag(spec, keys.auto_allocate_blocks));
    config.strict_affinity = strict.value_or(false);
    // Go omits a false with etcd; with Kubernetes the field is required.
    config.auto_allocate_blocks = automatic.value_or(spelling != Spelling::kEtcd);
    TORTIE_TRY(const std::int64_t blocks, take_integer(spec, "maxBlocksPerHost"));
    config.max_blocks_per_host = std::max<std::int64_t>(blocks, 0);
    TORTIE_TRY(config.persist_vm_addresses, take_persistence(spec));
    TORTIE_TRY(config.ip_cooldown_s, take_integer(spec, "ipCooldownSeconds"));
    return {};
}

void write(const IpamConfig &config, Spelling spelling, json &spec)
{
    const ConfigKeys keys = keys_of(spelling);
    const bool always = spelling != Spelling::kEtcd;
    if (always || config.strict_affinity)
        spec[keys.strict_affinity] = config.strict_affinity;
    if (always || config.auto_allocate_blocks)
        spec[keys.auto_allocate_blocks] = config.auto_allocate_blocks;
    set_number(spec, "maxBlocksPerHost", config.max_blocks_per_host);
    spec[kPersistence] = config.persist_vm_addresses ? "Enabled" : "Disabled";
    set_number(spec, "ipCooldownSeconds", config.ip_cooldown_s);
}

void read_vm_persistence(IpamConfig &config, std::string_view text)
{
    Result<json> object = parse_object(text, kMaxDocumentBytes);
    if (!object)
        return;
    Result<json> spec = take_object(*object, "spec");
    if (!spec)
        return;
    if (const Result<bool> persist = take_persistence(*spec))
        config.persist_vm_addresses = *persist;
}

}  // namespace tortie::store
