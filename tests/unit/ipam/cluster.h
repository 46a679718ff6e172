// SPDX-License-Identifier: Apache-2.0
//
// A small cluster for tests of allocation: a store in memory, pools, and words for what tests do.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "harness/memory_store.h"
#include "ipam/allocator.h"
#include "ipam/check.h"
#include "ipam/release.h"

namespace tortie::ipam {

Cidr cidr(const std::string &text);
IpAddr ip(const std::string &text);
Deadline soon();

struct PoolOptions {
    std::int64_t block_size = 0;
    std::string node_selector = {};
    std::string namespace_selector = {};
    bool disabled = false;
    std::vector<std::string> allowed_uses = {};
    bool manual = false;
};

class Cluster {
public:
    using Like = test::MemoryStore::Like;

    explicit Cluster(Like like = Like::kKubernetes) : store(like) {}

    void add_pool(const std::string &name, const std::string &cidr_text,
                  const PoolOptions &options = {});
    void add_node(const std::string &name, const store::StringMap &labels = {});
    void add_reservation(const std::string &name, const std::vector<std::string> &cidrs);
    void configure(const store::IpamConfig &config);

    // A block of a host that is there already, all addresses free.
    store::Block add_block(const std::string &host, const std::string &cidr_text,
                           store::AffinityState state = store::AffinityState::kConfirmed);

    Request request(const std::string &handle, unsigned num4 = 1, unsigned num6 = 0) const;

    // Reads the view and allocates, as one call of the plugin does.
    Result<Answer> add(const std::string &host, const Request &request);
    std::vector<Result<Answer>> add_all(const std::string &host,
                                        const std::vector<Request> &requests);
    Result<Answer> add4(const std::string &host, const std::string &handle)
    {
        return add(host, request(handle));
    }

    Result<Released> del(const std::string &host, const std::string &handle);

    std::optional<store::Block> block(const std::string &text) const;
    std::optional<store::Affinity> affinity(const std::string &host, const std::string &text) const;
    std::optional<store::Handle> handle(const std::string &id) const;
    std::vector<Finding> findings() const;

    test::MemoryStore store;
    Hint hint;
    bool use_hint = false;
    std::chrono::milliseconds patience{20'000};  // the deadline of add() and del()
};

// Names the instances of a suite that runs like both stores.
std::string like_name(const ::testing::TestParamInfo<Cluster::Like> &which);

std::vector<std::string> addresses(const FamilyAnswer &answer);

// The one IPv4 address of a good answer; the error's text of a bad one.
std::string only4(const Result<Answer> &answer);

// "problem object: detail" of each finding.
std::vector<std::string> words(const std::vector<Finding> &findings);

#define EXPECT_SOUND(cluster) EXPECT_THAT(words((cluster).findings()), ::testing::IsEmpty())

}  // namespace tortie::ipam
