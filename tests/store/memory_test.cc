// SPDX-License-Identifier: Apache-2.0
//
// The datastore in memory, on which the tests of allocation stand, keeps the contract, too.
#include "conformance.h"
#include "harness/memory_store.h"
#include "store/names.h"

namespace tortie::store {
namespace {

// Another client of the same store.
class Client : public Store {
public:
    explicit Client(test::MemoryStore &store) : store_(store) {}

    std::vector<Found> read(std::span<const Query> queries, Deadline deadline) override
    {
        return store_.read(queries, deadline);
    }
    Written commit(std::span<const Write> writes, Deadline deadline) override
    {
        return store_.commit(writes, deadline);
    }
    bool atomic() const override { return store_.atomic(); }
    bool endpoints_are_pods() const override { return store_.endpoints_are_pods(); }

private:
    test::MemoryStore &store_;
};

class MemoryPlace : public Place {
public:
    explicit MemoryPlace(test::MemoryStore::Like like) : store_(like)
    {
        ClusterInformation information;
        information.datastore_ready = true;
        store_.put(ClusterInformationKey{}, information);
    }

    std::unique_ptr<Store> open() override { return std::make_unique<Client>(store_); }
    bool spoil(const Key &) override { return false; }
    bool reaches_other_processes() const override { return false; }

private:
    test::MemoryStore store_;
};

std::unique_ptr<Place> like_etcd(std::string &)
{
    return std::make_unique<MemoryPlace>(test::MemoryStore::Like::kEtcd);
}

std::unique_ptr<Place> like_kubernetes(std::string &)
{
    return std::make_unique<MemoryPlace>(test::MemoryStore::Like::kKubernetes);
}

INSTANTIATE_TEST_SUITE_P(MemoryLikeEtcd, Conformance,
                         testing::Values(PlaceMaker{"like_etcd", &like_etcd}));
INSTANTIATE_TEST_SUITE_P(MemoryLikeKubernetes, Conformance,
                         testing::Values(PlaceMaker{"like_kubernetes", &like_kubernetes}));

}  // namespace
}  // namespace tortie::store
