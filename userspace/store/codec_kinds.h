// SPDX-License-Identifier: Apache-2.0
//
// Between codec.cc and the codec of each kind. read() takes what it knows out of `spec` and leaves
// the rest; write() sets it. Where an identity stands in the value, read() sets it in the document,
// else it was set from the key before. Errors: kInvalidInput, naming the member.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "store/codec.h"

namespace tortie::store {

Result<> read(nlohmann::json &spec, Spelling spelling, Block &block);
Result<> read(nlohmann::json &spec, Spelling spelling, Affinity &affinity);
Result<> read(nlohmann::json &spec, Spelling spelling, Handle &handle);
Result<> read(nlohmann::json &spec, Spelling spelling, IpamConfig &config);
Result<> read(nlohmann::json &spec, Spelling spelling, Pool &pool);
Result<> read(nlohmann::json &spec, Spelling spelling, Reservation &reservation);
Result<> read(nlohmann::json &spec, Spelling spelling, ClusterInformation &information);
Result<> read(nlohmann::json &spec, Spelling spelling, Node &node);
Result<> read(nlohmann::json &spec, Spelling spelling, Endpoint &endpoint);
Result<> read(nlohmann::json &spec, Spelling spelling, Profile &profile);

void write(const Block &block, Spelling spelling, nlohmann::json &spec);
void write(const Affinity &affinity, Spelling spelling, nlohmann::json &spec);
void write(const Handle &handle, Spelling spelling, nlohmann::json &spec);
void write(const IpamConfig &config, Spelling spelling, nlohmann::json &spec);
void write(const Pool &pool, Spelling spelling, nlohmann::json &spec);
void write(const Reservation &reservation, Spelling spelling, nlohmann::json &spec);
void write(const ClusterInformation &information, Spelling spelling, nlohmann::json &spec);
void write(const Node &node, Spelling spelling, nlohmann::json &spec);
void write(const Endpoint &endpoint, Spelling spelling, nlohmann::json &spec);
void write(const Profile &profile, Spelling spelling, nlohmann::json &spec);

// Parts of metadata that belong to a kind: the same for `metadata` of a resource.
Result<> read_metadata(nlohmann::json &metadata, Endpoint &endpoint);
void write_metadata(const Endpoint &endpoint, nlohmann::json &metadata);

}  // namespace tortie::store
