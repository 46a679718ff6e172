// SPDX-License-Identifier: Apache-2.0
#include "conformance.h"

#include "store/names.h"

namespace tortie::store {

Cidr network(const std::string &text)
{
    return Cidr::parse(text).value();
}

Block block(const std::string &network_text)
{
    Block made;
    made.cidr = network(network_text);
    made.affinity = "host:node-a";
    made.claim_time = "2026-08-22T10:11:12Z";
    const unsigned bits = width_bits(made.cidr.addr.family()) - made.cidr.prefix;
    made.allocations.resize(std::size_t{1} << bits);
    for (std::uint32_t i = 0; i < made.allocations.size(); ++i)
        made.unallocated.push_back(i);
    made.sequence_number = 1787393472000000009;
    return made;
}

Affinity affinity(const std::string &host, const std::string &network_text)
{
    Affinity made;
    made.host = host;
    made.cidr = network(network_text);
    made.state = AffinityState::kPending;
    return made;
}

Handle handle(const std::string &id)
{
    Handle made;
    made.id = id;
    return made;
}

void Conformance::SetUp()
{
    std::string missing;
    place_ = GetParam().make(missing);
    if (!place_)
        GTEST_SKIP() << missing;
    store_ = place_->open();
}

Written Conformance::commit(const std::vector<Write> &writes)
{
    return store_->commit(writes, soon());
}

Result<Revision> Conformance::create(const Document &document)
{
    return commit({{Op::kCreate, key_of(document), document, {}, 0}}).at(0);
}

Result<Revision> Conformance::update(const Document &document, const Revision &expected)
{
    return commit({{Op::kUpdate, key_of(document), document, expected, 0}}).at(0);
}

Result<Revision> Conformance::remove(const Document &document, const Revision &expected)
{
    return commit({{Op::kDelete, key_of(document), document, expected, 0}}).at(0);
}

}  // namespace tortie::store
