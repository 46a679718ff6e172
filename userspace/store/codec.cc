// SPDX-License-Identifier: Apache-2.0
#include "store/codec.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "store/codec_form.h"
#include "store/codec_json.h"
#include "store/codec_kinds.h"
#include "store/names.h"

namespace tortie::store {
namespace {

// One list is bounded by what the client reads, which is more than a document.
constexpr std::size_t kMaxPageBytes = 64UL << 20;

// What a kind has outside of its spec.

template <class T>
Result<> read_around(json &, json &, T &)
{
    return {};
}

// Only a condition that says so stops allocation; one that cannot be understood does not.
bool says_not_allocatable(const json &condition)
{
    return condition.is_object() && condition.value("type", json()) == "Allocatable" &&
           condition.value("status", json()) == "False";
}

Result<> read_around(json &metadata, json &beside, Pool &pool)
{
    const auto deleted = metadata.find("deletionTimestamp");
    pool.deleting = deleted != metadata.end() && !deleted->is_null();
    const auto status = beside.find("status");
    if (status == beside.end() || !status->is_object())
        return {};
    const json conditions = status->value("conditions", json::array());
    for (const json &condition : conditions)
        pool.allocatable = pool.allocatable && !says_not_allocatable(condition);
    return {};
}

Result<> read_around(json &metadata, json &, Node &node)
{
    TORTIE_TRY(std::optional<StringMap> labels, take_map(metadata, "labels"));
    node.labels = std::move(labels).value_or(StringMap());
    return {};
}

Result<> read_around(json &metadata, json &, Endpoint &endpoint)
{
    metadata.erase("namespace");
    return read_metadata(metadata, endpoint);
}

// Out of a map of texts: those that we write ourselves.
void drop(json &metadata, const char *map, const StringMap &ours)
{
    const auto found = metadata.find(map);
    if (found == metadata.end() || !found->is_object())
        return;
    for (const auto &[key, value] : ours)
        found->erase(key);
    if (found->empty())
        metadata.erase(map);
}

// Leaves what others have put into the metadata.
template <class T>
Result<Revision> take_revision(json &metadata, Spelling spelling, const T &document)
{
    Revision revision;
    metadata.erase("name");
    metadata.erase("selfLink");
    TORTIE_TRY(revision.version, take_text(metadata, "resourceVersion"));
    if (spelling == Spelling::kEtcd)
        return Revision{};
    TORTIE_TRY(revision.uid, take_text(metadata, "uid"));
    for (const char *key : {"creationTimestamp", "generation", "managedFields"})
        metadata.erase(key);
    if constexpr (Form<T>::kIpam) {
        drop(metadata, "annotations", {{kCalicoMetadata, ""}});
        drop(metadata, "labels", labels_of(document));
    }
    return revision;
}

template <class T>
Result<Stored> read_resource(T document, json object, Spelling spelling)
{
    TORTIE_TRY(json metadata, take_object(object, "metadata"));
    TORTIE_TRY(json spec, take_object(object, "spec"));
    TORTIE_TRY(const std::string name, take_text(metadata, "name"));
    if constexpr (Named<T>)
        document.name = name;
    TORTIE_DO(read(spec, spelling, document));
    if (name != kube_name(key_of(document)))
        return malformed("metadata.name", "does not belong to what the document says");
    object.erase("kind");
    object.erase("apiVersion");
    TORTIE_TRY(Revision revision, take_revision(metadata, spelling, document));
    TORTIE_DO(read_around(metadata, object, document));
    document.unknown = {.spec = text_or_empty(spec),
                        .metadata = text_or_empty(metadata),
                        .beside = text_or_empty(object)};
    return Stored{std::move(document), std::move(revision)};
}

template <class T>
Result<Stored> read_bare(T document, json object, Spelling spelling)
{
    TORTIE_DO(read(object, spelling, document));
    document.unknown.spec = text_or_empty(object);
    return Stored{std::move(document), {}};
}

template <class T>
Result<Stored> decode_as(T document, std::string_view text, Spelling spelling)
{
    const std::string name = kube_name(key_of(document));
    if (!Form<T>::kCrd && spelling != Spelling::kEtcd)
        return fail(ErrorKind::kUnsupported, "has no object of its own");
    // Affinities of before the state was stored have no value at all.
    const bool legacy = std::is_same_v<T, Affinity> && spelling == Spelling::kEtcd && text.empty();
    TORTIE_TRY(json object, parse_object(legacy ? "{}" : text, kMaxDocumentBytes));
    TORTIE_TRY(Stored stored,
               is_bare<T>(spelling)
                   ? read_bare(std::move(document), std::move(object), spelling)
                   : read_resource(std::move(document), std::move(object), spelling));
    if (kube_name(key_of(stored.document)) != name)
        return malformed("identity", "belongs to another document");
    return stored;
}

struct Decode {
    std::string_view text;
    Spelling spelling;

    Result<Stored> operator()(const BlockKey &key) const
    {
        Block block;
        block.cidr = key.cidr;
        return decode_as(std::move(block), text, spelling);
    }
    Result<Stored> operator()(const AffinityKey &key) const
    {
        Affinity affinity;
        affinity.host = key.host;
        affinity.cidr = key.cidr;
        affinity.type = key.type;
        return decode_as(std::move(affinity), text, spelling);
    }
    Result<Stored> operator()(const HandleKey &key) const
    {
        Handle handle;
        handle.id = key.id;
        return decode_as(std::move(handle), text, spelling);
    }
    Result<Stored> operator()(const IpamConfigKey &) const
    {
        return decode_as(IpamConfig(), text, spelling);
    }
    Result<Stored> operator()(const ClusterInformationKey &) const
    {
        return decode_as(ClusterInformation(), text, spelling);
    }
    Result<Stored> operator()(const PoolKey &key) const { return named<Pool>(key.name); }
    Result<Stored> operator()(const ReservationKey &key) const
    {
        return named<Reservation>(key.name);
    }
    Result<Stored> operator()(const NodeKey &key) const { return named<Node>(key.name); }
    Result<Stored> operator()(const ProfileKey &key) const { return named<Profile>(key.name); }
    Result<Stored> operator()(const EndpointKey &key) const
    {
        Endpoint endpoint;
        endpoint.ns = key.ns;
        endpoint.name = key.name;
        return decode_as(std::move(endpoint), text, spelling);
    }
    template <class KubernetesKey>
    Result<Stored> operator()(const KubernetesKey &) const
    {
        return fail(ErrorKind::kUnsupported, "is an object of Kubernetes");
    }

    template <class T>
    Result<Stored> named(const std::string &name) const
    {
        T document;
        document.name = name;
        return decode_as(std::move(document), text, spelling);
    }
};

// For the log; as much of it as a name may have.
std::string name_of(const json &item)
{
    constexpr std::size_t kLongestName = 253;
    json name;
    if (item.is_object() && item.contains("metadata") && item["metadata"].is_object())
        name = item["metadata"].value("name", json());
    const auto *text = name.get_ptr<const std::string *>();
    return text == nullptr ? std::string() : text->substr(0, kLongestName);
}

template <class T>
std::vector<Stored> read_items(json items, Spelling spelling)
{
    std::vector<Stored> stored;
    stored.reserve(items.size());
    for (json &item : items) {
        const std::string name = name_of(item);
        Result<Stored> one = item.is_object()
                                 ? read_resource(T(), std::move(item), spelling)
                                 : Result<Stored>(malformed("items", "holds no object"));
        if (one)
            stored.push_back(*std::move(one));
        else
            log::warn("a document of the list cannot be read",
                      {{"kind", Form<T>::kV1}, {"name", name}, {"error", one.error().what()}});
    }
    return stored;
}

std::vector<Stored> read_items(ListKind kind, json items, Spelling spelling)
{
    switch (kind) {
    case ListKind::kBlocks:
        return read_items<Block>(std::move(items), spelling);
    case ListKind::kAffinities:
        return read_items<Affinity>(std::move(items), spelling);
    case ListKind::kHandles:
        return read_items<Handle>(std::move(items), spelling);
    case ListKind::kPools:
        return read_items<Pool>(std::move(items), spelling);
    case ListKind::kReservations:
        return read_items<Reservation>(std::move(items), spelling);
    }
    return {};
}

}  // namespace

Result<Stored> decode(const Key &key, std::string_view text, Spelling spelling)
{
    Result<Stored> stored = std::visit(Decode{text, spelling}, key);
    if (!stored)
        return fail(std::move(stored).error().within(describe(key)));
    return stored;
}

Result<Page> decode_page(ListKind kind, std::string_view text, Spelling spelling)
{
    TORTIE_TRY(json object, parse_object(text, kMaxPageBytes));
    TORTIE_TRY(json metadata, take_object(object, "metadata"));
    TORTIE_TRY(json items, take_array(object, "items"));
    Page page;
    TORTIE_TRY(page.next, take_text(metadata, "continue"));
    page.items = read_items(kind, std::move(items), spelling);
    return page;
}

}  // namespace tortie::store
