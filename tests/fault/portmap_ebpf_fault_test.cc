// SPDX-License-Identifier: Apache-2.0
//
// portmap with BPF programs, killed behind system calls that change something: bpf(2), folders and
// names of pins, netlink. A first load makes some 150 of them, of which every few are tried.
#include <sys/mount.h>
#include <sys/syscall.h>

#include "fault/fault_test.h"
#include "fault/node.h"
#include "loader/portmap_object.h"

namespace tortie::test {
namespace {

constexpr const char *kBpffs = "/sys/fs/bpf";

std::string config()
{
    return R"({"cniVersion": "1.1.0", "name": "pmnet", "type": "portmap", "backend": "nftables",
        "datapath": "ebpf", "runtimeConfig": {"portMappings": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
            {"hostPort": 5353, "containerPort": 53, "protocol": "udp"}]},
        "prevResult": {"cniVersion": "1.1.0",
                       "interfaces": [{"name": "eth0", "sandbox": "/run/netns/pod"}],
                       "ips": [{"address": "10.88.0.2/16", "interface": 0},
                               {"address": "fd88::2/64", "interface": 0}]}})";
}

void mount_bpffs()
{
    while (::umount2(kBpffs, MNT_DETACH) == 0) {
    }
    ASSERT_EQ(::mount("bpf", kBpffs, "bpf", 0, nullptr), 0) << errno;
}

class PortmapEbpfFaults : public FaultTest {
protected:
    void SetUp() override
    {
        FaultTest::SetUp();
        if (IsSkipped())
            return;
        ASSERT_TRUE(wipe_node());
        mount_bpffs();
        // The node's report of capabilities is there, and so is everything that stays.
        expect_success(add_);
        expect_success(del_);
    }

    static void expect_success(const PluginCall &call)
    {
        const PluginOutcome outcome = run_plugin(call);
        EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
    }

    // Nothing of the pod is in the maps, at its veth or in nf_tables.
    void expect_nothing(const std::string &when) const
    {
        const PinFolder folder = PinRoot().folder(kPortmapAbi);
        std::size_t entries = 0;
        const auto count = [&](const auto &, const auto &) {
            entries++;
            return true;
        };
        if (const auto maps = PortmapMaps::open(folder)) {
            EXPECT_TRUE(maps->hostports.visit(count));
            EXPECT_TRUE(maps->podports.visit(count));
            EXPECT_TRUE(maps->pods.visit(count));
            EXPECT_EQ(maps->state->hostport_bits[0][8080 / 64], 0U) << when;
            EXPECT_EQ(maps->state->podport_bits[1][0], 0U) << when;
        }
        EXPECT_EQ(entries, 0U) << when;
        EXPECT_EQ(folder.link_names().value().size(), 0U) << when;
        EXPECT_EQ(run_tool({"nft", "list", "ruleset"}).value().find("8080"), std::string::npos)
            << when;
    }

    // Kills `call` behind its calls number first, first + step ... of a kind; `check` runs after
    // each. Returns how many there were.
    template <class Prepare, class Check>
    std::size_t kill_behind(const PluginCall &call, long number, std::size_t step, Prepare prepare,
                            Check check) const
    {
        std::size_t points = 0;
        for (std::size_t i = 0;; i += step) {
            prepare();
            const auto trace = run_traced(
                call,
                {.kind = Disturbance::Kind::kKillAtExit,
                 .at = {.process = 0, .index = i, .number = static_cast<std::uint64_t>(number)},
                 .error = 0});
            if (!trace || HasFailure()) {
                ADD_FAILURE() << (trace ? "" : trace.error().what());
                return points;
            }
            if (!trace->disturbed)
                return points;
            points++;
            check("killed behind call " + std::to_string(i) + " of number " +
                  std::to_string(number));
        }
    }

    const PluginCall add_ = plugin_call("portmap", "ADD", "faulty", config());
    const PluginCall del_ = plugin_call("portmap", "DEL", "faulty", config());
    const PluginCall check_ = plugin_call("portmap", "CHECK", "faulty", config());
};

TEST_F(PortmapEbpfFaults, AddKilledAnywhereIsCleanedByDel)
{
    std::size_t points = 0;
    for (const long number : {SYS_bpf, SYS_sendto, SYS_sendmsg, SYS_fork, SYS_clone})
        points += kill_behind(
            add_, number, 1, [] {},
            [&](const std::string &when) {
                expect_success(del_);
                expect_nothing(when);
            });

    EXPECT_GT(points, 20U);
    expect_success(add_);
    expect_success(check_);
    expect_success(del_);
}

TEST_F(PortmapEbpfFaults, DelKilledAnywhereIsFinishedByDel)
{
    std::size_t points = 0;
    for (const long number : {SYS_bpf, SYS_unlink, SYS_sendto})
        points += kill_behind(
            del_, number, 1, [&] { expect_success(add_); },
            [&](const std::string &when) {
                expect_success(del_);
                expect_nothing(when);
            });

    EXPECT_GT(points, 10U);
}

TEST_F(PortmapEbpfFaults, FirstLoadKilledAnywhereIsBegunAnewByTheNextAdd)
{
    std::size_t points = 0;
    const auto fresh = [&] {
        expect_success(del_);
        mount_bpffs();
    };
    const auto next_adds = [&](const std::string &when) {
        expect_success(add_);
        expect_success(check_);
        EXPECT_EQ(PinRoot().abis().value(), std::vector<unsigned>{kPortmapAbi}) << when;
    };
    points += kill_behind(add_, SYS_bpf, 29, fresh, next_adds);
    for (const long number : {SYS_mkdir, SYS_rename})
        points += kill_behind(add_, number, 2, fresh, next_adds);

    EXPECT_GT(points, 8U);
    expect_success(del_);
    expect_nothing("after the last DEL");
}

}  // namespace
}  // namespace tortie::test
