// SPDX-License-Identifier: Apache-2.0
#include "fault/fault_test.h"

namespace tortie::test {
namespace {

constexpr const char *kStore = "/run/tortie-test/store.db";

constexpr const char *kConfig = R"({
    "cniVersion": "1.0.0", "name": "net1", "type": "calico", "datastore_type": "local",
    "nodename": "node-a", "ipam_lock_file": "/run/tortie-test/ipam.lock",
    "ipam": {"type": "calico-ipam", "assign_ipv6": "true"}})";

constexpr const char *kPools = R"(
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: v4}
spec: {cidr: 10.80.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: v6}
spec: {cidr: "fd00:80::/48"}
)";

PluginOutcome tool(std::vector<std::string> arguments, const std::string &input = "")
{
    return run_plugin({.binary = plugin_path("calico-ipam"),
                       .env = {{"TORTIE_STORE_PATH", kStore}, {"DATASTORE_TYPE", "local"}},
                       .input = input,
                       .arguments = std::move(arguments)});
}

std::size_t count_of(const std::string &text, const std::string &word)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
        ++count;
    return count;
}

// Which address a container gets may differ from run to run; how many are held, that everything
// agrees, and that nobody waits any more may not.
Snapshot look_at_datastore()
{
    const PluginOutcome shown = tool({"-show", "-json"});
    const PluginOutcome checked = tool({"-check", "-no-endpoints"});
    Snapshot facts{"addresses " + std::to_string(count_of(shown.out, "\"ip\":")),
                   "check " + checked.out, "show " + std::to_string(shown.status)};
    for (const std::string &line : take_snapshot(kFiles)) {
        for (const char *suffix : {".request ", ".taken ", ".answer "}) {
            if (line.find(suffix) != std::string::npos)
                facts.insert(line);
        }
    }
    return facts;
}

class CalicoIpamFaults : public FaultTest {
protected:
    CalicoIpamFaults()
    {
        drill_.add = call("ADD", "faulty");
        drill_.del = call("DEL", "faulty");
        drill_.look = look_at_datastore;
        drill_.furnish = [] {
            const PluginOutcome applied = tool({"-apply", "-"}, kPools);
            if (applied.status != 0)
                return Result<>(fail(ErrorKind::kSystem, applied.err));
            return added(call("ADD", "neighbour"));
        };
    }

    static PluginCall call(const std::string &verb, const std::string &container)
    {
        PluginCall made = plugin_call("calico-ipam", verb, container, kConfig);
        made.env["TORTIE_STORE_PATH"] = kStore;
        return made;
    }

    Drill drill_;
};

TEST_F(CalicoIpamFaults, AddKilledAnywhereIsCleanedByDel)
{
    expect_clean(kill_add_everywhere(drill_));
}

TEST_F(CalicoIpamFaults, DelKilledAnywhereIsFinishedByDel)
{
    expect_clean(kill_del_everywhere(drill_));
}

}  // namespace
}  // namespace tortie::test
