// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::calico {
namespace {

using ::testing::ElementsAre;

TEST(IpamWire, ARequestArrivesAsItWasSent)
{
    const ipam::Request sent{.handle = "net1.c1",
                             .attributes = {{"node", "node-a"}, {"pod", "two\nlines"}},
                             .num4 = 1,
                             .num6 = 1,
                             .pools4 = {"10.80.0.0/16", "lab"},
                             .pools6 = {"fd00:80::/48"},
                             .specific = std::nullopt,
                             .max_per_handle = 0,
                             .max_blocks = 1,
                             .namespace_labels = {{"team", "shop"}, {"empty", ""}}};

    const auto got = read_request(write_request(sent));

    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->handle, sent.handle);
    EXPECT_EQ(got->attributes, sent.attributes);
    EXPECT_EQ(got->num4, 1U);
    EXPECT_EQ(got->num6, 1U);
    EXPECT_EQ(got->pools4, sent.pools4);
    EXPECT_EQ(got->pools6, sent.pools6);
    EXPECT_EQ(got->max_blocks, 1U);
    EXPECT_EQ(got->namespace_labels, sent.namespace_labels);
}

TEST(IpamWire, AnAnswerArrivesAsItWasGiven)
{
    const ipam::Address v4{.ip = *IpAddr::parse("10.80.3.11"),
                           .prefix = 29,
                           .block = *Cidr::parse("10.80.3.8/29"),
                           .sequence = 1787393472000000009};
    const ipam::Address v6{.ip = *IpAddr::parse("fd00:80:0:3::41"),
                           .prefix = 122,
                           .block = *Cidr::parse("fd00:80:0:3::40/122"),
                           .sequence = 7};

    const auto got = read_answer(write_answer(Assigned{.addresses = {v4, v6}, .handle = "h"}));

    ASSERT_TRUE(got.has_value());
    EXPECT_THAT(got->addresses, ElementsAre(v4, v6));
}

TEST(IpamWire, AFailureKeepsItsKindAndText)
{
    for (const ErrorKind kind : {ErrorKind::kInvalidInput, ErrorKind::kNotFound,
                                 ErrorKind::kTryAgain, ErrorKind::kExists, ErrorKind::kSystem}) {
        const auto got = read_answer(write_answer(Result<Assigned>(fail(kind, "no: \n room"))));
        ASSERT_FALSE(got.has_value());
        EXPECT_EQ(got.error().kind(), kind);
        EXPECT_EQ(got.error().what(), "no: \n room");
    }
}

TEST(IpamWire, RefusesWhatIsNoAnswer)
{
    EXPECT_FALSE(read_answer("").has_value());
    EXPECT_FALSE(read_request("").has_value());
    EXPECT_FALSE(read_request(write_answer(Assigned{})).has_value());
}

}  // namespace
}  // namespace tortie::calico
