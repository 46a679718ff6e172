// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <string>

#include <gtest/gtest.h>

#include "base/base32.h"
#include "base/json_nesting.h"

namespace tortie {
namespace {

std::string sha256_hex(const std::string &text)
{
    return hex_encode(sha256(text));
}

std::string sha3_hex(const std::string &text)
{
    return hex_encode(sha3_256(text));
}

TEST(Sha256, AgreesWithTheStandardsOwnExample)
{
    EXPECT_EQ(sha256_hex("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, PadsTextsAroundTheBlockBoundary)
{
    EXPECT_EQ(sha256_hex(std::string(55, 'a')).substr(0, 16), "9f4390f8d30c2dd9");
    EXPECT_EQ(sha256_hex(std::string(56, 'a')).substr(0, 16), "b35439a4ac6f0948");
    EXPECT_EQ(sha256_hex(std::string(64, 'a')).substr(0, 16), "ffe054fe7ae0cb6d");
}

TEST(Sha3, AgreesWithTheStandardsOwnExamples)
{
    EXPECT_EQ(sha3_hex(""), "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
    EXPECT_EQ(sha3_hex("abc"), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
}

TEST(Sha3, PadsTextsAroundTheRate)
{
    EXPECT_EQ(sha3_hex(std::string(135, 'a')).substr(0, 16), "8094bb53c44cfb1e");
    EXPECT_EQ(sha3_hex(std::string(136, 'a')).substr(0, 16), "3fc5559f14db8e45");
    EXPECT_EQ(sha3_hex(std::string(137, 'a')).substr(0, 16), "f8d6846cedd2ccfa");
    EXPECT_EQ(sha3_hex(std::string(272, 'a')).substr(0, 16), "a490357b9b3fb39d");
}

std::string base32(std::string_view text)
{
    return base32_encode({reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
}

// RFC 4648 section 10, without the padding.
TEST(Base32, AgreesWithTheStandardsVectors)
{
    EXPECT_EQ(base32(""), "");
    EXPECT_EQ(base32("f"), "MY");
    EXPECT_EQ(base32("fo"), "MZXQ");
    EXPECT_EQ(base32("foo"), "MZXW6");
    EXPECT_EQ(base32("foob"), "MZXW6YQ");
    EXPECT_EQ(base32("fooba"), "MZXW6YTB");
    EXPECT_EQ(base32("foobar"), "MZXW6YTBOI");
}

TEST(JsonNesting, CountsBracketsOutsideOfStringsOnly)
{
    EXPECT_FALSE(nested_deeper_than(R"([{"a":[1]}])", 3));
    EXPECT_TRUE(nested_deeper_than(R"([{"a":[1]}])", 2));
    EXPECT_FALSE(nested_deeper_than(R"(["[[[[\"[[["])", 1));
}

}  // namespace
}  // namespace tortie
