// SPDX-License-Identifier: Apache-2.0
#include "base/sha1.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

TEST(Sha1, AgreesWithTheStandardsOwnExamples)
{
    EXPECT_EQ(sha1_hex("abc", 40), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 40),
              "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    EXPECT_EQ(sha1_hex("", 40), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(Sha1, PadsTextsAroundTheBlockBoundary)
{
    EXPECT_EQ(sha1_hex(std::string(55, 'a'), 16), "c1c8bbdc22796e28");
    EXPECT_EQ(sha1_hex(std::string(56, 'a'), 16), "c2db330f6083854c");
    EXPECT_EQ(sha1_hex(std::string(63, 'a'), 16), "03f09f5b158a7a8c");
    EXPECT_EQ(sha1_hex(std::string(64, 'a'), 16), "0098ba824b5c1642");
    EXPECT_EQ(sha1_hex(std::string(119, 'a'), 16), "ee971065aaa017e0");
}

}  // namespace
}  // namespace tortie
