// SPDX-License-Identifier: Apache-2.0
#include "calico/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::calico {
namespace {

using ::testing::ElementsAre;

TEST(Record, GivesBackWhatWasAdded)
{
    const std::string odd = "two\nlines \\n and a backslash \\";
    const std::string text =
        Record().add("network", "net1").add("handle", "a").add("handle", odd).add("pod", "").text();

    const auto record = Record::parse(text);

    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->first("network"), "net1");
    EXPECT_THAT(record->all("handle"), ElementsAre("a", odd));
    EXPECT_EQ(record->first("pod"), "");
    EXPECT_EQ(record->first("nothing"), "");
}

TEST(Record, NoticesEveryCutAndEveryChangedByte)
{
    const std::string text = Record().add("network", "net1").add("pod", "p").text();

    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(Record::parse(text.substr(0, i)).has_value()) << i;
        std::string changed = text;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_FALSE(Record::parse(changed).has_value()) << i;
    }
}

}  // namespace
}  // namespace tortie::calico
