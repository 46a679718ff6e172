// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "kube/client.h"
#include "store/codec.h"
#include "store/config.h"

namespace tortie::store {

// Which of Calico's API groups a cluster serves. What discovery answered is kept in a file on
// tmpfs, named by the cluster. Nobody has to trust that file: an answer "no such type" from the
// API server shows that it is wrong, and forget() asks anew.
// Source: spec calico-ipam-datastore.md 3.2, 6.3.
class GroupChoice {
public:
    GroupChoice(ApiGroup configured, std::string cache_dir);

    // crd.projectcalico.org/v1 when discovery is forbidden to us. Errors: those of the exchange.
    Result<Spelling> get(kube::Client &client, Deadline deadline);

    // The choice was wrong. True when it was one that may have changed since it was made.
    bool forget();

private:
    Result<Spelling> discover(kube::Client &client, Deadline deadline) const;
    void read_cache(kube::Client &client);

    bool configured_;
    std::string cache_dir_;
    std::string cache_path_;
    std::optional<Spelling> known_;
    bool from_cache_ = false;
    bool cache_is_void_ = false;
};

}  // namespace tortie::store
