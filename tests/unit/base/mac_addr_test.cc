// SPDX-License-Identifier: Apache-2.0
#include "base/mac_addr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

TEST(MacAddr, ReadsEveryNotation)
{
    for (const char *text : {"00:00:5e:00:53:01", "00-00-5E-00-53-01", "0000.5e00.5301"})
        EXPECT_THAT(parse_mac(text).value(), ElementsAre(0, 0, 0x5e, 0, 0x53, 1)) << text;
    EXPECT_THAT(parse_mac("02:00:5e:10:00:00:00:01").value(), SizeIs(8));
    EXPECT_THAT(parse_mac("0200.5e10.0000.0001").value(), SizeIs(8));
    EXPECT_THAT(parse_mac("00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01").value(),
                SizeIs(20));
    EXPECT_THAT(parse_mac("0000.0000.fe80.0000.0000.0000.0200.5e10.0000.0001").value(), SizeIs(20));
}

TEST(MacAddr, RefusesEverythingElse)
{
    for (const char *text :
         {"", ":", "00:00:5e:00:53", "00:00:5e:00:53:0", "00:00:5e:00:53:01:", "00:00:5e:00:53-01",
          "0:0:5e:0:53:1", "00005e005301", "0g:00:5e:00:53:01", "0000.5e00.530", "0000:5e00:5301",
          " 00:00:5e:00:53:01", "00:00:5e:00:53:01:02", "0000.5e00.5301."})
        EXPECT_FALSE(parse_mac(text)) << text;
}

TEST(MacAddr, IsPrintedWithColonsInLowerCase)
{
    EXPECT_EQ(print_mac(parse_mac("00-00-5E-AB-53-01").value()), "00:00:5e:ab:53:01");
    EXPECT_EQ(print_mac({}), "");
}

TEST(MacAddr, IsTheSameUpToTheLengthThatTheLinkHas)
{
    const MacAddr six = parse_mac("02:00:00:00:00:01").value();
    const MacAddr eight = parse_mac("02:00:00:00:00:01:00:02").value();

    EXPECT_TRUE(is_same_mac(six, six));
    EXPECT_TRUE(is_same_mac(eight, six));
    EXPECT_FALSE(is_same_mac(six, eight));
    EXPECT_FALSE(is_same_mac(six, {}));
    EXPECT_FALSE(is_same_mac(six, parse_mac("02:00:00:00:00:02").value()));
}

}  // namespace
}  // namespace tortie
