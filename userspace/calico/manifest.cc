// SPDX-License-Identifier: Apache-2.0
#include "calico/manifest.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "calico/manifest_codec.h"
#include "kube/yaml.h"
#include "store/codec.h"

namespace tortie::calico {
namespace {

store::Spelling spelling_of(const store::Document &document)
{
    return std::holds_alternative<store::Node>(document) ? store::Spelling::kEtcd
                                                         : store::Spelling::kCrdV3;
}

Result<> refuse(const Resource &resource, const std::string &why)
{
    return fail(ErrorKind::kInvalidInput, resource.kind + '/' + resource.name + ": " + why);
}

// What a manifest does not say about an object that is there: who it is, what others put on it.
template <class T>
void keep_identity(const T &old, T &document)
{
    if constexpr (requires { document.unknown.metadata; }) {
        document.unknown.metadata = old.unknown.metadata;
        document.unknown.beside = old.unknown.beside;
    }
}

void keep_identity(const store::Document &old, store::Document &document)
{
    std::visit([&](auto &now) { keep_identity(std::get<std::decay_t<decltype(now)>>(old), now); },
               document);
}

Result<> check_pool_change(const Resource &resource, const store::Pool &old)
{
    const auto &pool = std::get<store::Pool>(resource.document);
    const auto before = Cidr::parse(old.cidr);
    const auto after = Cidr::parse(pool.cidr);
    if (before && (before->network() != after->network() || before->prefix != after->prefix))
        return refuse(resource, "spec.cidr: cannot be changed from " + old.cidr);
    if (old.block_size != 0 && old.block_size != pool.block_size)
        return refuse(resource,
                      "spec.blockSize: cannot be changed from " + std::to_string(old.block_size));
    return {};
}

Result<> check_overlap(const Resource &resource, std::span<const store::Pool> pools)
{
    const auto &pool = std::get<store::Pool>(resource.document);
    const auto cidr = Cidr::parse(pool.cidr);
    for (const store::Pool &other : pools) {
        const auto theirs = Cidr::parse(other.cidr);
        if (other.name != pool.name && theirs &&
            (theirs->contains(cidr->addr) || cidr->contains(theirs->network())))
            return refuse(resource, "IPPool(" + pool.name + ") CIDR overlaps with IPPool(" +
                                        other.name + ") CIDR " + other.cidr);
    }
    return {};
}

// Everything that can be wrong before the first write.
Result<> check_all(store::Store &store, std::span<const Resource> resources,
                   std::span<const store::Found> found, Deadline deadline)
{
    const store::Query query = store::ListPools{};
    TORTIE_TRY(auto held,
               store::all<store::Pool>(std::move(store.read({&query, 1}, deadline).front())));
    std::vector<store::Pool> pools;
    pools.reserve(held.size());
    for (auto &pool : held)
        pools.push_back(std::move(pool.document));
    for (std::size_t i = 0; i < resources.size(); ++i) {
        if (resources[i].kind == "Node" && store.endpoints_are_pods())
            return refuse(resources[i], "nodes are Kubernetes' own objects: label them there");
        if (!std::holds_alternative<store::Pool>(resources[i].document))
            continue;
        TORTIE_DO(check_overlap(resources[i], pools));
        if (found[i])
            TORTIE_DO(
                check_pool_change(resources[i], std::get<store::Pool>(found[i]->front().document)));
        pools.push_back(std::get<store::Pool>(resources[i].document));
    }
    return {};
}

Result<Applied> apply_one(store::Store &store, Resource resource, store::Found found,
                          Deadline deadline)
{
    Applied applied{
        .resource = resource.kind + "/" + resource.name, .outcome = "created", .changes = {}};
    store::Write write;
    write.key = resource.key;
    // The node of an embedded datastore is there without a document.
    if (found && !found->front().revision.version.empty()) {
        const store::Document &old = found->front().document;
        keep_identity(old, resource.document);
        TORTIE_TRY(const std::string before, store::encode(old, spelling_of(old)));
        TORTIE_TRY(const std::string after,
                   store::encode(resource.document, spelling_of(resource.document)));
        applied.changes = differences(before, after);
        applied.outcome = applied.changes.empty() ? "unchanged" : "configured";
        if (applied.changes.empty())
            return applied;
        write.op = store::Op::kUpdate;
        write.expected = found->front().revision;
    } else if (!found && found.error().kind() != ErrorKind::kNotFound) {
        return fail(std::move(found).error().within(applied.resource));
    }
    write.document = std::move(resource.document);
    auto written = std::move(store.commit({&write, 1}, deadline).front());
    if (!written)
        return fail(std::move(written).error().within(applied.resource));
    return applied;
}

}  // namespace

Result<std::vector<Resource>> read_manifest(std::string_view text)
{
    TORTIE_TRY(const auto documents, kube::yaml_to_json(text));
    std::vector<Resource> all;
    for (std::size_t i = 0; i < documents.size(); ++i) {
        auto resources = read_resources(documents[i]);
        if (!resources)
            return fail(std::move(resources).error().within("document " + std::to_string(i + 1)));
        std::move(resources->begin(), resources->end(), std::back_inserter(all));
    }
    if (all.empty())
        return fail(ErrorKind::kInvalidInput, "no resource in it");
    return all;
}

Result<std::vector<Applied>> apply(store::Store &store, std::vector<Resource> resources,
                                   Deadline deadline)
{
    std::vector<store::Query> queries;
    queries.reserve(resources.size());
    for (const Resource &resource : resources)
        queries.emplace_back(resource.key);
    std::vector<store::Found> found = store.read(queries, deadline);
    TORTIE_DO(check_all(store, resources, found, deadline));
    std::vector<Applied> all;
    for (std::size_t i = 0; i < resources.size(); ++i) {
        TORTIE_TRY(Applied applied,
                   apply_one(store, std::move(resources[i]), std::move(found[i]), deadline));
        all.push_back(std::move(applied));
    }
    return all;
}

}  // namespace tortie::calico
