// SPDX-License-Identifier: Apache-2.0
#include "store/etcd.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "store/codec_gateway.h"
#include "store/etcd_gateway.h"
#include "store/key_values.h"

namespace tortie::store {
namespace {

constexpr const char *kTxn = "/v3/kv/txn";

// etcd's --max-txn-ops is 128.
constexpr std::size_t kMaxOperations = 128;

class EtcdStore : public Store {
public:
    explicit EtcdStore(EtcdGateway gateway) : gateway_(std::move(gateway)) {}

    std::vector<Found> read(std::span<const Query> queries, Deadline deadline) override;
    Written commit(std::span<const Write> writes, Deadline deadline) override;
    bool atomic() const override { return true; }
    bool endpoints_are_pods() const override { return false; }

private:
    Result<std::vector<std::vector<Entry>>> read_ranges(std::span<const KeyRange> ranges,
                                                        Deadline deadline);
    Result<Written> transaction(std::span<const Change> changes, Deadline deadline);
    void remove(std::span<const Entry> marked, Deadline deadline);

    EtcdGateway gateway_;
};

Result<std::vector<std::vector<Entry>>> EtcdStore::read_ranges(std::span<const KeyRange> ranges,
                                                               Deadline deadline)
{
    std::vector<std::vector<Entry>> all;
    all.reserve(ranges.size());
    while (all.size() < ranges.size()) {
        const auto some =
            ranges.subspan(all.size(), std::min(kMaxOperations, ranges.size() - all.size()));
        TORTIE_TRY(const std::string body, gateway_.read(kTxn, read_request(some), deadline));
        TORTIE_TRY(TxnAnswer answer, txn_answer(body, some.size()));
        std::move(answer.ranges.begin(), answer.ranges.end(), std::back_inserter(all));
    }
    return all;
}

std::vector<Found> EtcdStore::read(std::span<const Query> queries, Deadline deadline)
{
    // The ranges of all queries in one row; those of a query that has none are its error.
    std::vector<KeyRange> ranges;
    std::vector<Result<std::size_t>> counts;
    for (const Query &query : queries) {
        Result<std::vector<KeyRange>> own = ranges_of(query);
        if (!own) {
            counts.emplace_back(fail(std::move(own).error()));
            continue;
        }
        counts.emplace_back(own->size());
        ranges.insert(ranges.end(), own->begin(), own->end());
    }
    const Result<std::vector<std::vector<Entry>>> entries = read_ranges(ranges, deadline);

    std::vector<Found> found;
    std::vector<Entry> marked;
    std::size_t at = 0;
    for (std::size_t i = 0; i < queries.size(); ++i) {
        if (!counts[i]) {
            found.emplace_back(fail(counts[i].error()));
        } else if (!entries) {
            found.emplace_back(fail(entries.error()));
        } else {
            found.push_back(
                found_in(queries[i], std::span(*entries).subspan(at, *counts[i]), marked));
            at += *counts[i];
        }
    }
    remove(marked, deadline);
    return found;
}

// Finishes deletions; whoever fails at it leaves them to the next reader.
void EtcdStore::remove(std::span<const Entry> marked, Deadline deadline)
{
    std::vector<Change> changes;
    for (const Entry &entry : marked)
        changes.push_back(removal_of(entry));
    if (changes.empty())
        return;
    if (const auto done = transaction(changes, deadline); !done)
        log::warn("a document marked deleted stays", {{"error", done.error().what()}});
}

Result<Written> EtcdStore::transaction(std::span<const Change> changes, Deadline deadline)
{
    TORTIE_TRY(const std::string body, gateway_.write(kTxn, commit_request(changes), deadline));
    Result<TxnAnswer> answer = txn_answer(body, changes.size());
    if (!answer)
        return fail(ErrorKind::kUnknownOutcome, std::move(answer).error().what());
    if (answer->succeeded) {
        Written written;
        for (const Change &change : changes)
            written.emplace_back(change.op == Op::kDelete ? Revision{}
                                                          : Revision{answer->revision, {}});
        return written;
    }
    std::vector<std::optional<Error>> objected;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const std::vector<Entry> &now = answer->ranges[i];
        objected.push_back(
            objection(changes[i], now.empty() ? std::nullopt : std::optional(now.front().version)));
    }
    if (any(objected))
        return refused(objected);
    return fail(ErrorKind::kSystem, "etcd refused a transaction without a reason");
}

Written EtcdStore::commit(std::span<const Write> writes, Deadline deadline)
{
    std::vector<Change> changes;
    if (std::optional<Written> unfit = changes_of(writes, changes))
        return *std::move(unfit);
    Result<Written> written = transaction(changes, deadline);
    return written ? *std::move(written) : refused_all(writes.size(), written.error());
}

}  // namespace

Result<std::unique_ptr<Store>> open_etcd(const EtcdSettings &settings)
{
    TORTIE_TRY(EtcdGateway gateway, EtcdGateway::make(settings));
    return std::make_unique<EtcdStore>(std::move(gateway));
}

}  // namespace tortie::store
