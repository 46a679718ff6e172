// SPDX-License-Identifier: Apache-2.0
//
// Documents that no program of Calico writes.
#include <gtest/gtest.h>

#include "samples.h"

namespace tortie::store {
namespace {

std::string error_of(const Key &key, const std::string &text, Spelling spelling = Spelling::kEtcd)
{
    const Result<Stored> stored = decode(key, text, spelling);
    if (stored)
        return "";
    EXPECT_EQ(stored.error().kind(), ErrorKind::kInvalidInput);
    return stored.error().what();
}

// A block of two addresses with one member replaced.
std::string block_error(const char *member, const nlohmann::json &value)
{
    nlohmann::json block = nlohmann::json::parse(R"({"cidr":"10.80.3.8/31",
        "allocations":[0,null],"unallocated":[1],"attributes":[{}]})");
    block[member] = value;
    return error_of(BlockKey{cidr("10.80.3.8/31")}, block.dump());
}

using nlohmann::json;

TEST(HostileBlock, IsRefusedByTheMemberThatCannotBe)
{
    EXPECT_EQ(block_error("allocations", {0}),
              "block 10.80.3.8/31: allocations: 1 entries in a block of 2");
    EXPECT_EQ(block_error("allocations", {-1, nullptr}),
              "block 10.80.3.8/31: allocations: holds something that is no index");
    EXPECT_EQ(block_error("allocations", {0, 1.5}),
              "block 10.80.3.8/31: allocations: holds something that is no index");
    EXPECT_EQ(block_error("unallocated", {2}),
              "block 10.80.3.8/31: unallocated: holds something that is no address of the block");
    EXPECT_EQ(block_error("unallocated", {1, 1}), "block 10.80.3.8/31: unallocated: holds 1 twice");
    EXPECT_EQ(block_error("attributes", {7}),
              "block 10.80.3.8/31: attributes: holds something that is not an object");
    EXPECT_EQ(block_error("attributes", {{{"secondary", {{"pod", 7}}}}}),
              "block 10.80.3.8/31: secondary.pod: is not a text");
    EXPECT_EQ(block_error("sequenceNumber", 1.7e18),
              "block 10.80.3.8/31: sequenceNumber: is not an integer");
    EXPECT_EQ(block_error("sequenceNumber", 9223372036854775808U),
              "block 10.80.3.8/31: sequenceNumber: is not an integer");
    EXPECT_EQ(block_error("sequenceNumberForAllocation", {{"x", 1}}),
              "block 10.80.3.8/31: sequenceNumberForAllocation: holds something that is no number");
    EXPECT_EQ(block_error("deleted", "true"), "block 10.80.3.8/31: deleted: is not true or false");
    EXPECT_EQ(block_error("cidr", "10.80.3.9/31"), "block 10.80.3.8/31: cidr: has host bits set");
    EXPECT_EQ(block_error("cidr", "10.0.0.0/8"),
              "block 10.80.3.8/31: cidr: is too large for a block");
    EXPECT_EQ(block_error("cidr", "10.80.3.10/31"),
              "block 10.80.3.8/31: identity: belongs to another document");
    EXPECT_EQ(block_error("cidr", nullptr), "block 10.80.3.8/31: cidr: is not a network");
}

TEST(HostileBlock, MayPointBeyondItsAttributes)
{
    EXPECT_EQ(block_error("allocations", {4294967295U, nullptr}), "");
}

TEST(HostileDocument, IsBoundedBeforeItIsParsed)
{
    EXPECT_EQ(error_of(HandleKey{"h"}, std::string(kMaxDocumentBytes + 1, ' ')),
              "handle h: is longer than 2097152 bytes");
    EXPECT_EQ(error_of(HandleKey{"h"}, std::string(100000, '[')), "handle h: is nested too deep");
    EXPECT_EQ(error_of(HandleKey{"h"}, "{} {}"), "handle h: is not a JSON object");
    EXPECT_EQ(error_of(HandleKey{"h"}, ""), "handle h: is not a JSON object");
}

TEST(HostileDocument, MayNotStandUnderAnothersName)
{
    EXPECT_EQ(error_of(PoolKey{"a"}, R"({"metadata":{"name":"b"},"spec":{}})"),
              "IPPool(a): identity: belongs to another document");
    EXPECT_EQ(error_of(BlockKey{cidr("10.80.3.8/31")}, R"({"metadata":{"name":"10-80-3-10-31"},
        "spec":{"cidr":"10.80.3.8/31","allocations":[null,null],"unallocated":[],"attributes":[]}})",
                       Spelling::kCrdV1),
              "block 10.80.3.8/31: metadata.name: does not belong to what the document says");
}

TEST(HostileHandle, MustCountBlocks)
{
    EXPECT_EQ(error_of(HandleKey{"h"}, R"({"block":{"junk":1}})"),
              "handle h: block: holds something that is no count of a block");
    EXPECT_EQ(error_of(HandleKey{"h"}, R"({"block":{"10.0.0.0/26":"1"}})"),
              "handle h: block: holds something that is no count of a block");
}

TEST(HostileDocument, IsNotMistakenForAKindWithoutOne)
{
    const Result<Stored> pod = decode(PodKey{"ns", "p"}, "{}", Spelling::kEtcd);
    const Result<Stored> node = decode(NodeKey{"n"}, "{}", Spelling::kCrdV1);
    ASSERT_FALSE(pod);
    ASSERT_FALSE(node);
    EXPECT_EQ(pod.error().kind(), ErrorKind::kUnsupported);
    EXPECT_EQ(node.error().kind(), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace tortie::store
