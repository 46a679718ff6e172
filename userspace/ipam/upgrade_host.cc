// SPDX-License-Identifier: Apache-2.0
#include "ipam/upgrade_host.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "ipam/backoff.h"

namespace tortie::ipam {
namespace {

using Affinities = std::vector<store::Held<store::Affinity>>;

// Every write of an affinity carries the labels: writing what was read is all there is to do.
Result<Affinities> label_all(store::Store &store, const std::string &host, Deadline deadline)
{
    const store::Query query = store::ListUnlabelledAffinities{};
    TORTIE_TRY(Affinities old,
               store::all<store::Affinity>(std::move(store.read({&query, 1}, deadline).front())));
    std::erase_if(old, [&](const auto &held) { return held.document.host != host; });

    if (old.empty())
        return old;

    std::vector<store::Write> writes;
    writes.reserve(old.size());
    for (const auto &[affinity, revision] : old) {
        const store::AffinityKey key{affinity.host, affinity.cidr, affinity.type};
        writes.push_back({store::Op::kUpdate, key, affinity, revision, 0});
    }
    store::Written written = store.commit(writes, deadline);

    Affinities labelled;
    std::optional<Error> trouble;
    for (std::size_t i = 0; i < written.size(); ++i) {
        if (written[i])
            labelled.push_back({std::move(old[i].document), *std::move(written[i])});
        else if (written[i].error().kind() != ErrorKind::kNotFound)
            trouble = written[i].error();
    }
    if (trouble && labelled.empty())
        return fail(*trouble);
    return labelled;
}

}  // namespace

Result<void> upgrade_host(store::Store &store, const std::string &host, Deadline deadline)
{
    std::chrono::milliseconds pause{100};
    for (;;) {
        const auto labelled = label_all(store, host, deadline);
        // A round that labelled some may have failed with others: another one tells.
        if (labelled && labelled->empty())
            return {};
        if (labelled)
            continue;
        if (deadline.left() <= pause)
            return fail(labelled.error());
        stand_back(pause);
        pause *= 2;
    }
}

Affinities adopt_unlabelled(store::Store &store, const std::string &host, Deadline deadline)
{
    auto labelled = label_all(store, host, deadline);
    if (labelled)
        return *std::move(labelled);
    log::warn("affinities of an older release could not be labelled",
              {{"error", labelled.error().what()}});
    return {};
}

}  // namespace tortie::ipam
