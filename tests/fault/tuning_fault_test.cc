// SPDX-License-Identifier: Apache-2.0
#include "fault/fault_test.h"

namespace tortie::test {
namespace {

constexpr const char *kConfig = R"({
    "cniVersion": "1.1.0", "name": "tunenet", "type": "tuning",
    "sysctl": {"net.core.somaxconn": "500", "net.ipv4.conf.IFNAME.arp_filter": "1"},
    "mac": "c2:11:22:33:44:55", "mtu": 1400, "promisc": true, "allmulti": true, "txQLen": 20000,
    "prevResult": {"cniVersion": "1.1.0",
                   "interfaces": [{"name": "eth0", "sandbox": "/run/netns/pod"}],
                   "ips": [{"address": "10.88.0.2/16", "interface": 0}]}})";

class TuningFaults : public FaultTest {
protected:
    TuningFaults()
    {
        drill_.add = plugin_call("tuning", "ADD", "faulty", kConfig);
        drill_.del = plugin_call("tuning", "DEL", "faulty", kConfig);
        drill_.del_always_succeeds = true;
        drill_.look = [] { return take_snapshot(kLinks | kSysctls | kFiles); };
    }

    Drill drill_;
};

TEST_F(TuningFaults, AddKilledAnywhereIsCleanedByDel)
{
    expect_clean(kill_add_everywhere(drill_));
}

TEST_F(TuningFaults, DelKilledAnywhereIsFinishedByDel)
{
    expect_clean(kill_del_everywhere(drill_));
}

TEST_F(TuningFaults, AddReportsEveryFailureAndChangesNothing)
{
    expect_clean(fail_add_everywhere(drill_));
}

TEST_F(TuningFaults, DelFailsWithoutHarmOrSucceedsWhole)
{
    expect_clean(fail_del_everywhere(drill_));
}

}  // namespace
}  // namespace tortie::test
