// SPDX-License-Identifier: Apache-2.0
//
// One nf_tables transaction being put together. Steps take effect in their order, all at once,
// when NfTables::commit() succeeds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sys/nf_tables.h"
#include "sys/nf_tables_rule.h"

namespace tortie::nft {

class Batch {
public:
    // `table` is what every step is about. With a `generation` the whole happens only while
    // nf_tables is as it was then.
    explicit Batch(Table table, std::optional<std::uint32_t> generation = std::nullopt);

    // These four succeed when the object is there already.
    void add_table();
    void add_chain(std::string_view chain);
    void add_base_chain(std::string_view chain, const BaseChain &base);
    void add_set(const Set &set);

    // At the end of the chain. `comment` is what a later rules() finds it by.
    void add_rule(std::string_view chain, std::string_view comment,
                  const std::function<void(Expressions &)> &expressions);

    // With everything in it.
    void delete_table();

    void delete_rule(std::string_view chain, std::uint64_t handle);
    void flush_chain(std::string_view chain);
    void delete_chain(std::string_view chain);
    void delete_set(std::string_view set);

    // As many elements as wanted: they go in several messages. The set must not hold the key, or
    // must lose it in an earlier step.
    void add_elements(std::string_view set, std::span<const Element> elements);
    // The elements must be there.
    void delete_elements(std::string_view set, std::span<const Fields> keys);

    bool empty() const { return steps_.size() == 1; }

private:
    friend class NfTables;

    NetlinkMessage message(std::uint16_t type, std::uint16_t flags,
                           std::size_t max_bytes = 4096) const;
    void add(NetlinkMessage message, std::string step);
    void append(NetlinkMessage &message);

    Table table_;
    std::uint32_t next_set_id_ = 0;
    std::vector<std::uint8_t> bytes_;  // begins with the batch's own first message
    std::size_t last_step_off_ = 0;
    std::vector<std::string> steps_;  // by sequence number; [0] is the begin
    bool complete_ = true;
};

}  // namespace tortie::nft
