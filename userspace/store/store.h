// SPDX-License-Identifier: Apache-2.0
//
// One datastore, whichever it is: documents are read in batches and written by compare-and-swap.
//
//   Reads: a batch of queries costs one round trip. Results stand in the order of the queries,
//   each with its own success or error.
//   Writes: a commit is a list of writes in stages. Where the store has transactions (`atomic()`)
//   all of them take effect or none; where it has none (Kubernetes), the writes of one stage go
//   out together, and a stage begins only when all of the one before have succeeded. So "handle
//   before block" is two stages, and on etcd the same commit is one request.
//
// Error kinds a caller acts on:
//   kNotFound        the document is not there (reads; updates and deletes too)
//   kExists          create: somebody has it already
//   kConflict        update, delete: the document has changed since it was read
//   kNotAttempted    write: another one of this commit failed, this one did not take effect
//   kUnknownOutcome  write: the answer was lost. Read again to learn whether it took effect
//   kTryAgain        passing: unreachable, overloaded, deadline; nothing of ours took effect
//   kUnsupported     this store has no such kind of document
//   other            as the text says: forbidden, invalid, a document that cannot be read
//
// A document marked `deleted` (Go deletes in two steps) is kNotFound to a get and is left out of
// lists, except where a list's comment says otherwise; the backend finishes its deletion when it
// meets one in a get.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "store/documents.h"

namespace tortie::store {

// What one document is found by.
struct BlockKey {
    Cidr cidr;  // masked
};
struct AffinityKey {
    std::string host;
    Cidr cidr;  // masked
    AffinityType type = AffinityType::kHost;
};
struct HandleKey {
    std::string id;
};
struct IpamConfigKey {};
struct PoolKey {
    std::string name;
};
struct ReservationKey {
    std::string name;
};
// kubernetes: an update writes the document's annotations into the node's status, and nothing else.
struct NodeKey {
    std::string name;
};
struct ClusterInformationKey {};
// kubernetes: not readable by this key, read the pod; writing one patches the pod's status.
struct EndpointKey {
    std::string ns;
    std::string name;
};
struct ProfileKey {
    std::string name;
};
// Kubernetes' own objects: with the kubernetes store, and with the etcd store of a Kubernetes
// cluster; elsewhere kUnsupported.
struct PodKey {
    std::string ns;
    std::string name;
};
struct NamespaceKey {
    std::string name;
};
struct VmiKey {  // kubevirt.io VirtualMachineInstance
    std::string ns;
    std::string name;
};
struct VmKey {  // kubevirt.io VirtualMachine
    std::string ns;
    std::string name;
};

using Key = std::variant<BlockKey, AffinityKey, HandleKey, IpamConfigKey, PoolKey, ReservationKey,
                         NodeKey, ClusterInformationKey, EndpointKey, ProfileKey, PodKey,
                         NamespaceKey, VmiKey, VmKey>;

// Lists. Ordered by the store's name of the document. A document that cannot be read is left out
// and logged; it must not stop every pod of the cluster.
struct ListBlocks {};  // both families
struct ListAffinities {
    std::string host;  // empty: every host
    AffinityType type = AffinityType::kHost;
};                                   // both families
struct ListUnlabelledAffinities {};  // kubernetes: those of before labels (spec 2.12); else empty
struct ListHandles {};
struct ListPools {};
struct ListReservations {};
struct ListNodes {};
struct ListEndpoints {
    std::string ns;           // empty: every namespace
    std::string name_prefix;  // empty: all
};                            // kubernetes: kUnsupported
struct ListPodsOnNode {
    std::string node;
};

using Query = std::variant<Key, ListBlocks, ListAffinities, ListUnlabelledAffinities, ListHandles,
                           ListPools, ListReservations, ListNodes, ListEndpoints, ListPodsOnNode>;

// What a compare-and-swap compares. Opaque, and only good for the document it was read with.
struct Revision {
    std::string version;
    std::string uid;  // Kubernetes only
};

struct Stored {
    Document document;
    Revision revision;
};

// A Key gives exactly one Stored or kNotFound, a list any number.
using Found = Result<std::vector<Stored>>;

enum class Op { kCreate, kUpdate, kDelete };

struct Write {
    Op op = Op::kCreate;
    Key key;
    Document document;  // of the key's kind; what was read, for kDelete
    Revision expected;  // kUpdate, kDelete. Endpoints: empty writes without comparing
    unsigned stage = 0;
};

// One for each write: its new revision (empty after kDelete), or why it did not happen.
using Written = std::vector<Result<Revision>>;

struct Exchanged {
    std::vector<Found> found;
    Written written;
};

class Store {
public:
    virtual ~Store() = default;

    virtual std::vector<Found> read(std::span<const Query> queries, Deadline deadline) = 0;
    virtual Written commit(std::span<const Write> writes, Deadline deadline) = 0;

    // A commit that needs nothing of what is read beside it. A store that can sends the reads
    // together with the first stage of the writes, in one round trip; this one does not.
    virtual Exchanged exchange(std::span<const Query> queries, std::span<const Write> writes,
                               Deadline deadline)
    {
        std::vector<Found> found = read(queries, deadline);
        return {std::move(found), commit(writes, deadline)};
    }

    // A commit is one transaction.
    virtual bool atomic() const = 0;

    // Endpoints are annotations of pods (kubernetes), not documents.
    virtual bool endpoints_are_pods() const = 0;
};

// One document of a known kind.
template <class T>
struct Held {
    T document;
    Revision revision;
};

template <class T>
Result<Held<T>> one(Found found)
{
    if (!found)
        return fail(std::move(found).error());
    Stored &stored = found->front();
    return Held<T>{std::get<T>(std::move(stored.document)), std::move(stored.revision)};
}

template <class T>
Result<std::vector<Held<T>>> all(Found found)
{
    if (!found)
        return fail(std::move(found).error());
    std::vector<Held<T>> held;
    held.reserve(found->size());
    for (Stored &stored : *found)
        held.push_back({std::get<T>(std::move(stored.document)), std::move(stored.revision)});
    return held;
}

template <class T>
Result<Held<T>> get(Store &store, Key key, Deadline deadline)
{
    const Query query = std::move(key);
    return one<T>(std::move(store.read({&query, 1}, deadline).front()));
}

// True when every write took effect.
inline bool all_written(const Written &written)
{
    for (const Result<Revision> &each : written) {
        if (!each)
            return false;
    }
    return true;
}

}  // namespace tortie::store
