// SPDX-License-Identifier: Apache-2.0
#include "cni/common_keys.h"

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

bool accepts(std::string_view text)
{
    return check_common_keys(Json::parse_object(text).value()).has_value();
}

TEST(CommonKeys, MayBeAbsentOrNull)
{
    EXPECT_TRUE(accepts("{}"));
    EXPECT_TRUE(accepts(R"({"type": null, "capabilities": null, "ipam": null, "dns": null,
        "prevResult": null, "cni.dev/valid-attachments": null})"));
}

TEST(CommonKeys, MustHaveTheirTypesWhetherAPluginReadsThemOrNot)
{
    EXPECT_TRUE(accepts(R"({"type": "x", "capabilities": {"a": true}, "ipam": {"type": "y"},
        "dns": {"nameservers": ["192.0.2.1"]}, "prevResult": {}, "unknown": 1})"));
    for (const char *wrong :
         {R"({"type": 1})", R"({"capabilities": []})", R"({"ipam": "x"})",
          R"({"ipam": {"type": 1}})", R"({"dns": []})", R"({"dns": {"search": "x"}})",
          R"({"prevResult": 5})", R"({"cni.dev/valid-attachments": {}})"})
        EXPECT_FALSE(accepts(wrong)) << wrong;
}

}  // namespace
}  // namespace tortie::cni
