// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "store/store.h"

namespace tortie::calico_cni {

// Calico's documents from one store, and pods, namespaces and virtual machines from the Kubernetes
// API: a cluster whose Calico keeps its documents in etcd.
class WithCluster : public store::Store {
public:
    WithCluster(std::unique_ptr<store::Store> documents, std::unique_ptr<store::Store> cluster)
        : documents_(std::move(documents)), cluster_(std::move(cluster))
    {
    }

    std::vector<store::Found> read(std::span<const store::Query> queries,
                                   Deadline deadline) override;
    store::Written commit(std::span<const store::Write> writes, Deadline deadline) override
    {
        return documents_->commit(writes, deadline);
    }
    store::Exchanged exchange(std::span<const store::Query> queries,
                              std::span<const store::Write> writes, Deadline deadline) override;
    bool atomic() const override { return documents_->atomic(); }
    bool endpoints_are_pods() const override { return false; }

private:
    std::unique_ptr<store::Store> documents_;
    std::unique_ptr<store::Store> cluster_;
};

}  // namespace tortie::calico_cni
