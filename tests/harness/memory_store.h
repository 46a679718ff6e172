// SPDX-License-Identifier: Apache-2.0
//
// A store::Store in memory, for tests of what stands on one: it behaves as Kubernetes (writes of a
// stage one by one) or as etcd (a commit is one transaction), counts requests and round trips, and
// fails where it is told to. Several threads may use it.
//
// Requests are numbered from 1 in the order in which they take effect. A fault is armed for a
// number, or for the next write of a kind of document.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace tortie::test {

class MemoryStore : public store::Store {
public:
    enum class Like { kKubernetes, kEtcd };

    explicit MemoryStore(Like like = Like::kKubernetes) : like_(like) {}

    std::vector<store::Found> read(std::span<const store::Query> queries,
                                   Deadline deadline) override;
    store::Written commit(std::span<const store::Write> writes, Deadline deadline) override;
    store::Exchanged exchange(std::span<const store::Query> queries,
                              std::span<const store::Write> writes, Deadline deadline) override;
    bool atomic() const override { return like_ == Like::kEtcd; }
    bool endpoints_are_pods() const override { return like_ == Like::kKubernetes; }

    enum class Fault {
        kRefused,   // kTryAgain, nothing took effect
        kLost,      // a write took effect, its answer was lost; a read fails with kTryAgain
        kDropped,   // kUnknownOutcome, and nothing took effect
        kConflict,  // as if somebody had been faster
        kDead,      // this request took effect and is the last one: all later ones are kRefused
    };

    void fail_request(std::size_t number, Fault fault) { faults_[number] = fault; }

    // Called before each request without the lock held: for another host's step in between.
    // Requests made inside it are not announced.
    std::function<void(std::size_t number, const std::string &what)> before_request;

    // Since the start, or since forget_counts(); faults count from there as well, and go.
    std::size_t requests() const { return requests_; }
    std::size_t round_trips() const { return round_trips_; }
    std::size_t writes() const { return writes_; }
    const std::vector<std::string> &log() const { return log_; }
    void forget_counts();

    // Straight access, without faults and counts.
    void put(const store::Key &key, store::Document document);
    void remove(const store::Key &key);
    template <class T>
    std::optional<T> peek(const store::Key &key) const
    {
        const std::scoped_lock lock(mutex_);
        const auto found = documents_.find(name_of(key));
        if (found == documents_.end())
            return std::nullopt;
        return std::get<T>(found->second.document);
    }
    template <class T>
    std::vector<T> peek_all() const
    {
        const std::scoped_lock lock(mutex_);
        std::vector<T> all;
        for (const auto &[name, stored] : documents_) {
            if (const T *document = std::get_if<T>(&stored.document))
                all.push_back(*document);
        }
        return all;
    }

    // Drops what the API server of an old release would drop from blocks: releasedAt.
    bool prunes_released_at = false;

private:
    struct Entry {
        store::Document document;
        std::size_t version = 0;
    };

    static std::string name_of(const store::Key &key);

    std::optional<Fault> begin(const std::string &what);
    store::Found answer(const store::Query &query);
    Result<store::Revision> check(const store::Write &write) const;
    Result<store::Revision> apply(const store::Write &write);
    Result<store::Revision> request(const store::Write &write);
    store::Found request(const store::Query &query);
    void commit_stage(std::span<const store::Write> writes, unsigned stage,
                      store::Written &written);
    store::Written commit_stages(std::span<const store::Write> writes, bool first_is_free);
    store::Written commit_atomically(std::span<const store::Write> writes);

    Like like_;
    mutable std::mutex mutex_;
    std::map<std::string, Entry> documents_;
    std::size_t next_version_ = 1;
    std::size_t requests_ = 0;
    std::size_t round_trips_ = 0;
    std::size_t writes_ = 0;
    bool dead_ = false;
    bool announcing_ = false;
    std::map<std::size_t, Fault> faults_;
    std::vector<std::string> log_;
};

}  // namespace tortie::test
