// SPDX-License-Identifier: Apache-2.0
//
// What the steps of one allocation share: where they read and write, for whom, and what was read
// once for all of them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "ipam/block.h"
#include "ipam/block_space.h"
#include "ipam/hint.h"
#include "ipam/pools.h"
#include "ipam/view.h"
#include "store/store.h"

namespace tortie::ipam {

class Session {
public:
    Session(store::Store &store, const std::string &host, View view, Hint &hint, Deadline deadline);

    store::Store &store() const { return store_; }
    const std::string &host() const { return host_; }
    Deadline deadline() const { return deadline_; }
    Hint &hint() const { return hint_; }
    const View &view() const { return view_; }
    const Reservations &reservations() const { return view_.reservations; }
    const std::vector<UsablePool> &pools() const { return pools_; }

    // The configuration, read when first asked for. A missing one is created, as v3.32.1 does;
    // one that cannot be read or created counts as the defaults, with a warning, unless the store
    // is away.
    // Errors: kTryAgain.
    Result<store::IpamConfig> config();

    // For an answer that came with other reads.
    Result<void> take_config(store::Found found);
    bool knows_config() const { return config_.has_value(); }

    // What is not known of cooling addresses is kept.
    Cooldown cooldown() const;

    // Labels of this host's node, read when first asked for.
    // Errors: those of the store; a node that is not there.
    Result<const kube::StringMap *> node_labels();
    const kube::StringMap *known_node_labels() const { return labels_ ? &*labels_ : nullptr; }

    // This host's affinities; those of claims made meanwhile included.
    std::vector<store::Held<store::Affinity>> &affinities() { return view_.affinities; }
    store::Held<store::Affinity> *affinity_of(const Cidr &block);
    void forget_affinity(const Cidr &block);

    // Blocks as they were last read or written.
    using Blocks = std::map<Cidr, store::Held<store::Block>, CidrLess>;
    Blocks &blocks() { return view_.blocks; }

private:
    Result<void> create_config();

    store::Store &store_;
    const std::string &host_;
    View view_;
    std::vector<UsablePool> pools_;
    Hint &hint_;
    Deadline deadline_;
    std::optional<store::IpamConfig> config_;
    std::optional<kube::StringMap> labels_;
};

}  // namespace tortie::ipam
