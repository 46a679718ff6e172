// SPDX-License-Identifier: Apache-2.0
#include "fault/fault_test.h"

namespace tortie::test {
namespace {

constexpr const char *kConfig = R"({
    "cniVersion": "1.1.0", "name": "hlnet", "type": "host-local",
    "ipam": {"type": "host-local",
             "ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd01:2::/112"}]]}})";

// Each container gets another address, and where round robin stands may differ, as may the index,
// which is a hint: what counts is who holds how many addresses, and that nothing else lies about.
Snapshot look_at_reservations()
{
    Snapshot facts;
    for (const std::string &line : take_snapshot(kFiles)) {
        const std::size_t name = line.rfind('/', line.find(' ', 6));
        const std::string_view rest = std::string_view(line).substr(name + 1);
        if (rest.starts_with("10.1.2.") || rest.starts_with("fd01:2::"))
            facts.insert((rest.starts_with("1") ? "IPv4 reserved" : "IPv6 reserved") +
                         std::string(rest.substr(rest.find(' '))));
        else if (line.find("/.tortie") == std::string::npos)
            facts.insert(line.substr(0, line.find(' ', 6)));
    }
    return facts;
}

// A pointer's new content is written beside it. What an unlink that failed has left there the next
// ADD writes over.
Snapshot look_past_new_pointers()
{
    Snapshot facts;
    for (const std::string &line : look_at_reservations()) {
        if (!line.ends_with(".tmp"))
            facts.insert(line);
    }
    return facts;
}

class HostLocalFaults : public FaultTest {
protected:
    HostLocalFaults()
    {
        drill_.add = plugin_call("host-local", "ADD", "faulty", kConfig);
        drill_.del = plugin_call("host-local", "DEL", "faulty", kConfig);
        drill_.look = look_at_reservations;
    }

    void live_with_neighbour()
    {
        drill_.furnish = [] {
            return added(plugin_call("host-local", "ADD", "neighbour", kConfig));
        };
    }

    Drill drill_;
};

TEST_F(HostLocalFaults, AddKilledAnywhereIsCleanedByDel)
{
    live_with_neighbour();

    expect_clean(kill_add_everywhere(drill_));
}

TEST_F(HostLocalFaults, FirstAddOfANodeKilledAnywhereIsCleanedByDel)
{
    drill_.prepare = wipe_node;

    expect_clean(kill_add_everywhere(drill_));
}

TEST_F(HostLocalFaults, DelKilledAnywhereIsFinishedByDel)
{
    live_with_neighbour();

    expect_clean(kill_del_everywhere(drill_));
}

TEST_F(HostLocalFaults, AddReportsEveryFailureAndChangesNothing)
{
    live_with_neighbour();
    drill_.look = look_past_new_pointers;

    expect_clean(fail_add_everywhere(drill_));
}

TEST_F(HostLocalFaults, FirstAddOfANodeReportsEveryFailureAndChangesNothing)
{
    drill_.prepare = wipe_node;
    drill_.look = look_past_new_pointers;

    expect_clean(fail_add_everywhere(drill_));
}

TEST_F(HostLocalFaults, DelFailsWithoutHarmOrSucceedsWhole)
{
    live_with_neighbour();
    drill_.look = look_past_new_pointers;

    expect_clean(fail_del_everywhere(drill_));
}

}  // namespace
}  // namespace tortie::test
