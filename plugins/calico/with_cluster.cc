// SPDX-License-Identifier: Apache-2.0
#include "calico/with_cluster.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

namespace tortie::calico_cni {
namespace {

bool is_of_cluster(const store::Query &query)
{
    if (std::holds_alternative<store::ListPodsOnNode>(query))
        return true;
    const auto *key = std::get_if<store::Key>(&query);
    return key != nullptr && (std::holds_alternative<store::PodKey>(*key) ||
                              std::holds_alternative<store::NamespaceKey>(*key) ||
                              std::holds_alternative<store::VmiKey>(*key) ||
                              std::holds_alternative<store::VmKey>(*key));
}

// The queries of one side, and the answers of both in the order of the whole.
struct Split {
    std::vector<store::Query> documents;
    std::vector<store::Query> cluster;
};

Split split_queries(std::span<const store::Query> queries)
{
    Split split;
    for (const store::Query &query : queries)
        (is_of_cluster(query) ? split.cluster : split.documents).push_back(query);
    return split;
}

std::vector<store::Found> merged(std::span<const store::Query> queries,
                                 std::vector<store::Found> documents,
                                 std::vector<store::Found> cluster)
{
    std::vector<store::Found> found;
    found.reserve(queries.size());
    auto next_document = documents.begin();
    auto next_of_cluster = cluster.begin();
    for (const store::Query &query : queries)
        found.push_back(std::move(is_of_cluster(query) ? *next_of_cluster++ : *next_document++));
    return found;
}

std::vector<store::Found> read_some(store::Store &store, const std::vector<store::Query> &queries,
                                    Deadline deadline)
{
    return queries.empty() ? std::vector<store::Found>() : store.read(queries, deadline);
}

}  // namespace

std::vector<store::Found> WithCluster::read(std::span<const store::Query> queries,
                                            Deadline deadline)
{
    const Split split = split_queries(queries);
    auto documents = read_some(*documents_, split.documents, deadline);
    return merged(queries, std::move(documents), read_some(*cluster_, split.cluster, deadline));
}

store::Exchanged WithCluster::exchange(std::span<const store::Query> queries,
                                       std::span<const store::Write> writes, Deadline deadline)
{
    const Split split = split_queries(queries);
    store::Exchanged exchanged = documents_->exchange(split.documents, writes, deadline);
    exchanged.found =
        merged(queries, std::move(exchanged.found), read_some(*cluster_, split.cluster, deadline));
    return exchanged;
}

}  // namespace tortie::calico_cni
