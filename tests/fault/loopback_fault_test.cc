// SPDX-License-Identifier: Apache-2.0
#include "fault/fault_test.h"

namespace tortie::test {
namespace {

constexpr const char *kConfig = R"({"cniVersion": "1.1.0", "name": "lonet", "type": "loopback"})";

class LoopbackFaults : public FaultTest {
protected:
    LoopbackFaults()
    {
        drill_.add = plugin_call("loopback", "ADD", "faulty", kConfig);
        drill_.del = plugin_call("loopback", "DEL", "faulty", kConfig);
        drill_.look = [] { return take_snapshot(kLinks | kSysctls | kFiles); };
    }

    Drill drill_;
};

TEST_F(LoopbackFaults, AddKilledAnywhereIsCleanedByDel)
{
    expect_clean(kill_add_everywhere(drill_));
}

TEST_F(LoopbackFaults, DelKilledAnywhereIsFinishedByDel)
{
    expect_clean(kill_del_everywhere(drill_));
}

TEST_F(LoopbackFaults, AddReportsEveryFailureAndChangesNothing)
{
    expect_clean(fail_add_everywhere(drill_));
}

TEST_F(LoopbackFaults, DelFailsWithoutHarmOrSucceedsWhole)
{
    expect_clean(fail_del_everywhere(drill_));
}

}  // namespace
}  // namespace tortie::test
