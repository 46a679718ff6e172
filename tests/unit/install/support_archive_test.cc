// SPDX-License-Identifier: Apache-2.0
#include "install/support_archive.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "install/node_report.h"

namespace tortie::installer {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SupportArchive, LosesEverySecretAndKeepsTheRest)
{
    const std::string text = without_secrets(
        R"({"log_level":"info","etcd_key_file":"marked","policy":{"k8s_auth_token":"marked"},)"
        R"("Password" : "marked","list":["eyJhbGciOi.marked",")" +
        std::string(50, 'm') +
        R"("],"pem":"-----BEGIN marked","escaped\"token":"marked","mtu":0})");

    EXPECT_THAT(text, Not(HasSubstr("marked")));
    EXPECT_THAT(text, Not(HasSubstr("mmmm")));
    EXPECT_THAT(text, HasSubstr(R"("log_level":"info")"));
    EXPECT_THAT(text, HasSubstr(R"("etcd_key_file":"<removed>")"));
    EXPECT_THAT(text, HasSubstr(R"("mtu":0})"));
}

TEST(SupportArchive, ComesToAnEndWithHalfAFile)
{
    EXPECT_EQ(without_secrets("{\"a\":\"b"), "{\"a\":\"b\"");
    EXPECT_EQ(without_secrets("\"\\"), "\"\\\"");
}

TEST(SupportArchive, IsOneThatTarReads)
{
    const std::string archive = tar_of({{"status.txt", "x"}, {"empty", ""}});

    ASSERT_EQ(archive.size(), 512U * 5);
    EXPECT_EQ(archive.substr(0, 10), "status.txt");
    EXPECT_EQ(archive.substr(257, 5), "ustar");
    EXPECT_EQ(archive.substr(124, 11), "00000000001");
    unsigned sum = 8 * ' ';
    for (std::size_t i = 0; i < 512; ++i) {
        if (i < 148 || i >= 156)
            sum += static_cast<unsigned char>(archive[i]);
    }
    EXPECT_EQ(std::stoul(archive.substr(148, 6), nullptr, 8), sum);
    EXPECT_EQ(archive.substr(1024, 5), "empty");
}

TEST(NodeReport, PrintsAScreen)
{
    const NodeReport report{.lines = {{"files", "4 as they were installed", ""},
                                      {"network", "no configuration", "install"}},
                            .samples = {}};

    EXPECT_EQ(report.problems(), 1U);
    EXPECT_EQ(text_of(report),
              "ok   files       4 as they were installed\n"
              "BAD  network     no configuration\n"
              "                 -> install\n"
              "Lines that ask for something: 1\n");
}

TEST(Metrics, StandTogetherWithTheirKindBeforeThem)
{
    EXPECT_EQ(metrics_text({{Metric::kPackets, 7, {{"event", "replied"}}},
                            {Metric::kHealthy, 1},
                            {Metric::kPackets, 18'446'744'073'709'551'615U, {{"event", "off"}}}}),
              "# HELP tortie_healthy 1 when install status finds nothing wrong.\n"
              "# TYPE tortie_healthy gauge\n"
              "tortie_healthy 1\n"
              "# HELP tortie_packets_total Packets of mapped ports by what happened to them, and "
              "events of flows.\n"
              "# TYPE tortie_packets_total counter\n"
              "tortie_packets_total{event=\"replied\"} 7\n"
              "tortie_packets_total{event=\"off\"} 18446744073709551615\n");
}

TEST(Metrics, KeepTheirLineWhateverALabelHolds)
{
    EXPECT_THAT(
        metrics_text({{Metric::kDatapathInfo, 1, {{"backend", "a\"\\\nb"}, {"chosen_by", "c"}}}}),
        testing::EndsWith("\n"
                          R"(tortie_datapath_info{backend="a\"\\\nb",chosen_by="c"} 1)"
                          "\n"));
}

}  // namespace
}  // namespace tortie::installer
