// SPDX-License-Identifier: Apache-2.0
#include "base/sha512.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

TEST(Sha512, AgreesWithTheStandardsOwnExamples)
{
    EXPECT_EQ(sha512_hex("abc", 128),
              "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    EXPECT_EQ(sha512_hex("", 32), "cf83e1357eefb8bdf1542850d66d8007");
}

TEST(Sha512, PadsTextsAroundTheBlockBoundary)
{
    EXPECT_EQ(sha512_hex(std::string(111, 'a'), 16), "fa9121c7b32b9e01");
    EXPECT_EQ(sha512_hex(std::string(112, 'a'), 16), "c01d080efd492776");
    EXPECT_EQ(sha512_hex(std::string(128, 'a'), 16), "b73d1929aa615934");
}

TEST(Sha512, GivesTheChainNameOfTheGoPlugin)
{
    EXPECT_EQ("CNI-DN-" + sha512_hex("pmnetcont1", 21), "CNI-DN-692d1922717b10c2f0d4f");
}

}  // namespace
}  // namespace tortie
