// SPDX-License-Identifier: Apache-2.0
//
// A document of a datastore. The input is a line with its key of etcd and the spelling (etcd, v1,
// v3), and the text:
//
//   /calico/ipam/v2/handle/net.c1 v1
//   {"metadata":{"name":"net.c1"},"spec":{"handleID":"net.c1","block":{}}}
//
// What can be read can be written, and then read as the same.
#include <cstdint>

#include "fuzz/plugin_input.h"
#include "store/codec.h"
#include "store/codec_gateway.h"
#include "store/names.h"

namespace tortie::fuzz {
namespace {

using store::Spelling;

void check_round_trip(const store::Key &key, const store::Stored &stored, Spelling spelling)
{
    const auto written = store::encode(stored.document, spelling, stored.revision);
    require(written.has_value(), "what can be read can be written");
    const auto again = store::decode(key, *written, spelling);
    if (!again && written->size() > store::kMaxDocumentBytes)
        return;  // U+FFFD is longer than what it stands for
    require(again.has_value(), "what was written can be read");
    const auto written_again = store::encode(again->document, spelling, again->revision);
    require(written_again && *written_again == *written, "a document survives a round trip");
}

void check_block(const store::Document &document)
{
    const auto *block = std::get_if<store::Block>(&document);
    if (block == nullptr)
        return;
    const unsigned bits = width_bits(block->cidr.addr.family()) - block->cidr.prefix;
    require(block->allocations.size() == std::size_t{1} << bits, "a block has all its addresses");
    require(block->unallocated.size() <= block->allocations.size(), "none is free twice");
}

void run(std::string_view head, std::string_view text)
{
    const std::size_t space = head.rfind(' ');
    const auto key = store::key_from_etcd(head.substr(0, space));
    if (space == std::string_view::npos || !key)
        return;
    require(store::etcd_key(*key) == std::string(head.substr(0, space)), "a key leads back");
    const std::string_view word = head.substr(space + 1);
    const Spelling spelling = word == "v1"   ? Spelling::kCrdV1
                              : word == "v3" ? Spelling::kCrdV3
                                             : Spelling::kEtcd;
    const auto stored = store::decode(*key, text, spelling);
    if (!stored)
        return;
    check_block(stored->document);
    check_round_trip(*key, *stored, spelling);
}

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    using namespace tortie;
    std::string_view text = fuzz::as_text(data, size);
    const std::string_view head = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(head.size() + 1, text.size()));
    fuzz::run(head, text);
    for (const auto kind :
         {store::ListKind::kBlocks, store::ListKind::kAffinities, store::ListKind::kPools})
        (void)store::decode_page(kind, text, store::Spelling::kCrdV1).has_value();
    (void)store::txn_answer(text, 1).has_value();
    (void)store::gateway_error(text);
    return 0;
}
