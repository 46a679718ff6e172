// SPDX-License-Identifier: Apache-2.0
#include "fault/fault_test.h"

namespace tortie::test {
namespace {

// Both protocols, both families, one address of the node: every kind of rule there is.
std::string config_of(const std::string &backend, int first_port)
{
    const auto mapping = [](int host_port, const char *rest) {
        return R"({"hostPort": )" + std::to_string(host_port) + R"(, "containerPort": 80, )" +
               rest + "}";
    };
    return R"({"cniVersion": "1.1.0", "name": "pmnet", "type": "portmap", "backend": ")" + backend +
           R"(", "datapath": "netfilter", "capabilities": {"portMappings": true}, "runtimeConfig": {"portMappings": [)" +
           mapping(first_port, R"("protocol": "tcp")") + ", " +
           mapping(first_port + 1, R"("protocol": "udp")") + ", " +
           mapping(first_port + 2, R"("protocol": "tcp", "hostIP": "10.88.0.1")") + R"(]},
        "prevResult": {"cniVersion": "1.1.0",
                       "interfaces": [{"name": "eth0", "sandbox": "/run/netns/pod"}],
                       "ips": [{"address": "10.88.0.2/16", "interface": 0},
                               {"address": "fd88::2/64", "interface": 0}]}})";
}

// An element as it is wherever it stands in the list, and without the number that says who was
// first, which grows with each ADD of the node.
std::string without_place(std::string line)
{
    constexpr std::string_view kBegin = "elements = { ";
    if (line.find(" comment \"") == std::string::npos)
        return line;
    if (const std::size_t begin = line.find(kBegin); begin != std::string::npos)
        line.erase(begin, kBegin.size());
    line.erase(line.find_last_not_of(" ,}") + 1);
    if (const std::size_t snat = line.find(" snat="); snat != std::string::npos) {
        const std::size_t number = line.rfind(' ', snat - 1);
        line.erase(number, snat - number);
    }
    return line;
}

// Lock files stay (base/file_lock.h); that nobody holds one is looked at.
Snapshot look_at_ports(const std::string &backend)
{
    Snapshot facts;
    const unsigned rules = backend == "iptables" ? kIptables : kNft;
    for (const std::string &line : take_snapshot(rules | kSysctls | kFiles)) {
        if (!line.starts_with("file: /run/tortie ") &&
            !(line.starts_with("file: ") && line.find(".lock ") != std::string::npos))
            facts.insert(without_place(line));
    }
    return facts;
}

class PortmapFaults : public FaultTest, public ::testing::WithParamInterface<std::string> {
protected:
    PortmapFaults()
    {
        const std::string config = config_of(GetParam(), 8080);
        drill_.add = plugin_call("portmap", "ADD", "faulty", config);
        drill_.del = plugin_call("portmap", "DEL", "faulty", config);
        drill_.look = [] { return look_at_ports(GetParam()); };
    }

    void live_with_neighbour()
    {
        drill_.furnish = [] {
            return added(plugin_call("portmap", "ADD", "neighbour", config_of(GetParam(), 9090)));
        };
    }

    Drill drill_;
};

TEST_P(PortmapFaults, AddKilledAnywhereIsCleanedByDel)
{
    live_with_neighbour();

    expect_clean(kill_add_everywhere(drill_));
}

TEST_P(PortmapFaults, FirstAddOfANodeKilledAnywhereIsCleanedByDel)
{
    drill_.prepare = wipe_node;

    expect_clean(kill_add_everywhere(drill_));
}

TEST_P(PortmapFaults, DelKilledAnywhereIsFinishedByDel)
{
    live_with_neighbour();

    expect_clean(kill_del_everywhere(drill_));
}

TEST_P(PortmapFaults, AddReportsEveryFailureAndChangesNothing)
{
    live_with_neighbour();

    expect_clean(fail_add_everywhere(drill_));
}

TEST_P(PortmapFaults, FirstAddOfANodeReportsEveryFailureAndChangesNothing)
{
    drill_.prepare = wipe_node;

    expect_clean(fail_add_everywhere(drill_));
}

TEST_P(PortmapFaults, DelFailsWithoutHarmOrSucceedsWhole)
{
    live_with_neighbour();

    expect_clean(fail_del_everywhere(drill_));
}

INSTANTIATE_TEST_SUITE_P(Backend, PortmapFaults, ::testing::Values("iptables", "nftables"),
                         [](const auto &name) { return name.param; });

}  // namespace
}  // namespace tortie::test
