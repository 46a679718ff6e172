// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/strings.h"
#include "fault/fault_test.h"

namespace tortie::test {
namespace {

constexpr const char *kConfig =
    R"({"cniVersion": "1.0.0", "name": "links", "type": "pod_link_driver"})";

// The drills' pod has an eth0 and routes of its own.
class PodLinkFaults : public FaultTest {
protected:
    PodLinkFaults()
    {
        drill_.add = driver_call("ADD");
        drill_.del = driver_call("DEL");
        drill_.look = look;
        drill_.polls_the_kernel = true;
        drill_.furnish = []() -> Result<> {
            TORTIE_DO(run_tool({"ip", "-n", "pod", "route", "flush", "table", "main"}));
            return {};
        };
    }

    static PluginCall driver_call(const char *verb)
    {
        return {.binary = POD_LINK_DRIVER,
                .env = cni_env(verb, "faulty", "cali0", kPodNetns),
                .input = kConfig,
                .arguments = {}};
    }

    static Snapshot look()
    {
        Snapshot snapshot = take_snapshot(kLinks);
        for (const std::string space : {"", "pod"}) {
            for (const std::string family : {"-4", "-6"}) {
                const auto text = space.empty()
                                      ? run_tool({"ip", family, "route", "show"})
                                      : run_tool({"ip", "-n", space, family, "route", "show"});
                for (const std::string_view line : split(text ? *text : text.error().what(), '\n'))
                    snapshot.insert(space + " route: " + std::string(line));
            }
        }
        Snapshot plain;
        for (const std::string &fact : snapshot)
            plain.insert(timeless(fact));
        return plain;
    }

    // Without what differs each time: an interface's number, whether the kernel has got round to
    // ending the tentative time of link-local addresses.
    static std::string timeless(std::string fact)
    {
        for (const std::string name : {"cali0@", "cali0123456789a@"}) {
            for (std::size_t at = fact.find(name); at != std::string::npos;
                 at = fact.find(name, at + name.size())) {
                const std::size_t end = fact.find(':', at);
                fact.erase(at + name.size(), end - at - name.size());
                const std::size_t start = fact.rfind(' ', at - std::min<std::size_t>(at, 2)) + 1;
                fact.erase(start, at - start);
                at = start;
            }
        }
        constexpr std::string_view kTentative = "tentative ";
        if (const std::size_t at = fact.find(kTentative); at != std::string::npos)
            fact.erase(at, kTentative.size());
        return fact;
    }

    Drill drill_;
};

TEST_F(PodLinkFaults, AddKilledAnywhereIsCleanedByDel)
{
    expect_clean(kill_add_everywhere(drill_));
}

TEST_F(PodLinkFaults, DelKilledAnywhereIsFinishedByDel)
{
    expect_clean(kill_del_everywhere(drill_));
}

TEST_F(PodLinkFaults, AddReportsEveryFailureAndChangesNothing)
{
    expect_clean(fail_add_everywhere(drill_));
}

TEST_F(PodLinkFaults, DelFailsWithoutHarmOrSucceedsWhole)
{
    expect_clean(fail_del_everywhere(drill_));
}

}  // namespace
}  // namespace tortie::test
