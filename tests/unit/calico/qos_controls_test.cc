// SPDX-License-Identifier: Apache-2.0
#include "calico/qos_controls.h"

#include <limits>

#include <gtest/gtest.h>

namespace tortie::calico {
namespace {

TEST(Quantity, IsReadAsKubernetesDoes)
{
    EXPECT_EQ(parse_quantity("1500"), 1500);
    EXPECT_EQ(parse_quantity("10M"), 10'000'000);
    EXPECT_EQ(parse_quantity("1Ki"), 1024);
    EXPECT_EQ(parse_quantity("1.5Gi"), 1'610'612'736);
    EXPECT_EQ(parse_quantity("1.01k"), 1010);
    EXPECT_EQ(parse_quantity("100m"), 1);  // rounded up
    EXPECT_EQ(parse_quantity("2e3"), 2000);
    EXPECT_EQ(parse_quantity("2E3"), 2000);
    EXPECT_EQ(parse_quantity("1E"), 1'000'000'000'000'000'000);
    EXPECT_EQ(parse_quantity("1e100"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(parse_quantity("1e-100"), 1);
    EXPECT_EQ(parse_quantity("-5"), -5);
    EXPECT_EQ(parse_quantity("0"), 0);
}

TEST(Quantity, IsRefusedWhenItIsNone)
{
    for (const char *text : {"", "M", "1.2.3", "10 M", "1K", "1ki", "0x10", "1e", "1eM", "ten"})
        EXPECT_EQ(parse_quantity(text), std::nullopt) << text;
}

TEST(QosControls, AreEmptyWithoutAnnotations)
{
    EXPECT_EQ(qos_controls_of({{"app", "web"}}), "");
}

TEST(QosControls, TakeKubernetesBandwidthsAndADefaultBurst)
{
    EXPECT_EQ(qos_controls_of({{"kubernetes.io/ingress-bandwidth", "10M"}}),
              R"({"ingressBandwidth":10000000,"ingressBurst":4294967296})");
}

TEST(QosControls, PreferCalicosOwnAnnotations)
{
    EXPECT_EQ(qos_controls_of({{"kubernetes.io/egress-bandwidth", "10M"},
                               {"qos.projectcalico.org/egressBandwidth", "20M"},
                               {"qos.projectcalico.org/egressBurst", "1M"},
                               {"qos.projectcalico.org/egressPeakrate", "30M"},
                               {"qos.projectcalico.org/egressMinburst", "2k"},
                               {"qos.projectcalico.org/dscp", "AF41"}}),
              R"({"egressBandwidth":20000000,"egressBurst":1000000,"egressPeakrate":30000000,)"
              R"("egressMinburst":2000,"dscp":"AF41"})");
}

TEST(QosControls, LimitPacketsAndConnections)
{
    EXPECT_EQ(qos_controls_of({{"qos.projectcalico.org/ingressPacketRate", "100"},
                               {"qos.projectcalico.org/egressMaxConnections", "7"},
                               {"qos.projectcalico.org/dscp", "46"}}),
              R"({"ingressPacketRate":100,"ingressPacketBurst":5,"egressMaxConnections":7,)"
              R"("dscp":46})");
}

TEST(QosControls, ClampWhatIsOutOfRange)
{
    EXPECT_EQ(qos_controls_of({{"qos.projectcalico.org/ingressPacketRate", "1M"},
                               {"qos.projectcalico.org/ingressPacketBurst", "0"}}),
              R"({"ingressPacketRate":10000,"ingressPacketBurst":1})");
}

TEST(QosControls, LeaveOutWhatLeansOnNothing)
{
    EXPECT_EQ(qos_controls_of({{"qos.projectcalico.org/ingressBurst", "1M"},
                               {"qos.projectcalico.org/egressBandwidth", "junk"},
                               {"qos.projectcalico.org/egressPeakrate", "1M"},
                               {"qos.projectcalico.org/dscp", "64"}}),
              "");
}

}  // namespace
}  // namespace tortie::calico
