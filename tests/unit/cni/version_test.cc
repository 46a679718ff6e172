// SPDX-License-Identifier: Apache-2.0
#include "cni/version.h"

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

std::string refusal(std::string_view command, std::string_view version)
{
    const auto error = version_refusal(command, version);
    return error ? std::to_string(static_cast<unsigned>(error->code)) + ' ' + error->msg : "";
}

TEST(Version, AddAndDelAcceptExactlyTheListedVersions)
{
    for (const std::string_view version : supported_versions()) {
        EXPECT_EQ(refusal("ADD", version), "");
        EXPECT_EQ(refusal("DEL", version), "");
    }
    EXPECT_EQ(refusal("ADD", "0.5.0"), "1 incompatible CNI versions");
    EXPECT_EQ(version_refusal("ADD", "9.9.9")->details,
              "config is \"9.9.9\", plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" \"0.3.1\" "
              "\"0.4.0\" \"1.0.0\" \"1.1.0\"]");
}

TEST(Version, GatesCheckGcAndStatusByTheConfigurationsVersion)
{
    EXPECT_EQ(refusal("CHECK", "0.3.1"), "1 config version does not allow CHECK");
    EXPECT_EQ(refusal("CHECK", "0.4.0"), "");
    EXPECT_EQ(refusal("GC", "1.0.0"), "1 config version does not allow GC");
    EXPECT_EQ(refusal("STATUS", "1.0.0"), "1 config version does not allow STATUS");
    EXPECT_EQ(refusal("STATUS", "1.1.0"), "");
    EXPECT_EQ(refusal("CHECK", "1.2.0"), "1 plugin version does not allow CHECK");
    EXPECT_EQ(refusal("CHECK", "0.5.0"), "1 incompatible CNI versions");
    EXPECT_EQ(refusal("GC", "0.5.0"), "1 config version does not allow GC");
}

TEST(Version, TellsWhyAVersionIsNone)
{
    EXPECT_EQ(refusal("CHECK", "1.0.0.0"), "6 invalid version \"1.0.0.0\": too many parts");
    EXPECT_EQ(refusal("GC", "x"),
              "6 failed to convert major version part \"x\": strconv.Atoi: parsing \"x\": invalid "
              "syntax");
    EXPECT_EQ(refusal("CHECK", "1.99999999999999999999.0"),
              "6 failed to convert minor version part \"99999999999999999999\": strconv.Atoi: "
              "parsing \"99999999999999999999\": value out of range");
    EXPECT_EQ(refusal("CHECK", "+1.0.0"), "1 incompatible CNI versions");
}

TEST(Version, ReportIsOneLineWithTheNewestFirst)
{
    EXPECT_EQ(version_report(),
              "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.1.0\",\"0.2.0\",\"0.3.0\","
              "\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
}

}  // namespace
}  // namespace tortie::cni
