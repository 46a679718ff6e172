// SPDX-License-Identifier: Apache-2.0
//
// What people and other programs of Calico write, and we only read: pools, reservations, nodes,
// ClusterInformation; and profiles, which we create.
#include <utility>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "store/codec_json.h"
#include "store/codec_kinds.h"

namespace tortie::store {

Result<> read(json &spec, Spelling, Pool &pool)
{
    TORTIE_TRY(pool.cidr, take_text(spec, "cidr"));
    TORTIE_TRY(pool.block_size, take_integer(spec, "blockSize"));
    TORTIE_TRY(const std::optional<bool> disabled, take_flag(spec, "disabled"));
    pool.disabled = disabled.value_or(false);
    TORTIE_TRY(pool.node_selector, take_text(spec, "nodeSelector"));
    TORTIE_TRY(pool.namespace_selector, take_text(spec, "namespaceSelector"));
    TORTIE_TRY(pool.allowed_uses, take_texts(spec, "allowedUses"));
    TORTIE_TRY(const std::string mode, take_text(spec, "assignmentMode"));
    pool.manual = mode == "Manual";
    if (!pool.manual && !mode.empty())
        spec["assignmentMode"] = mode;
    return {};
}

void write(const Pool &pool, Spelling, json &spec)
{
    set_text(spec, "cidr", pool.cidr);
    if (pool.block_size != 0)
        spec["blockSize"] = pool.block_size;
    if (pool.disabled)
        spec["disabled"] = true;
    set_text(spec, "nodeSelector", pool.node_selector);
    set_text(spec, "namespaceSelector", pool.namespace_selector);
    if (!pool.allowed_uses.empty())
        spec["allowedUses"] = pool.allowed_uses;
    if (pool.manual)
        spec["assignmentMode"] = "Manual";
}

Result<> read(json &spec, Spelling, Reservation &reservation)
{
    TORTIE_TRY(reservation.cidrs, take_texts(spec, "reservedCIDRs"));
    return {};
}

void write(const Reservation &reservation, Spelling, json &spec)
{
    if (!reservation.cidrs.empty())
        spec["reservedCIDRs"] = reservation.cidrs;
}

Result<> read(json &spec, Spelling, ClusterInformation &information)
{
    TORTIE_TRY(information.datastore_ready, take_flag(spec, "datastoreReady"));
    return {};
}

void write(const ClusterInformation &information, Spelling, json &spec)
{
    if (information.datastore_ready)
        spec["datastoreReady"] = *information.datastore_ready;
}

Result<> read(json &, Spelling, Node &)
{
    return {};
}

void write(const Node &, Spelling, json &) {}

Result<> read(json &spec, Spelling, Profile &profile)
{
    profile.spec = text_of(spec);
    spec = json::object();
    return {};
}

void write(const Profile &profile, Spelling, json &spec)
{
    spec = object_of(profile.spec);
}

Node node_of(kube::Node node)
{
    constexpr const char *kLabels = "projectcalico.org/labels";
    Node merged;
    merged.name = std::move(node.meta.name);
    merged.labels = std::move(node.meta.labels);
    merged.annotations = std::move(node.meta.annotations);
    merged.pod_cidrs = std::move(node.pod_cidrs);
    const auto text = merged.annotations.find(kLabels);
    if (text == merged.annotations.end() || text->second.empty())
        return merged;
    Result<json> labels = parse_object(text->second, kMaxDocumentBytes);
    json wrapped = {{kLabels, labels ? *std::move(labels) : json()}};
    Result<std::optional<StringMap>> below = take_map(wrapped, kLabels);
    if (below && *below)
        merged.labels.merge(**below);
    else
        log::warn("annotation of the node is not a map of labels",
                  {{"node", merged.name}, {"annotation", kLabels}});
    return merged;
}

}  // namespace tortie::store
