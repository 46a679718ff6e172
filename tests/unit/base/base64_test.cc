// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

// RFC 4648 section 10.
TEST(Base64, EncodesTheVectorsOfTheRfcAndDecodesThemAgain)
{
    for (const auto &[plain, coded] : {std::pair{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"}}) {
        EXPECT_EQ(base64_encode(plain), coded);
        EXPECT_EQ(base64_decode(coded), plain);
    }
}

TEST(Base64, CarriesEveryByte)
{
    std::string bytes;
    for (int i = 0; i < 256; ++i)
        bytes += static_cast<char>(i);

    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
}

TEST(Base64, IgnoresLineBreaksAsGoDoes)
{
    EXPECT_EQ(base64_decode("Zm9v\nYmFy\r\n"), "foobar");
    EXPECT_EQ(base64_decode("Zg=\n="), "f");
}

TEST(Base64, RefusesWhatIsNotWhole)
{
    for (const char *text :
         {"Z", "Zg", "Zg=", "Zg===", "Zm9v=", "=", "====", "Zg==Zg==", "Zm9v Yg==", "Zm9-", "Zm9_"})
        EXPECT_EQ(base64_decode(text), std::nullopt) << text;
}

}  // namespace
}  // namespace tortie
