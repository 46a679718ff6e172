// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>

#include "base/file.h"
#include "calico/ipam_repair.h"
#include "calico/ipam_report.h"
#include "fault/fault_test.h"
#include "store/local.h"
#include "sys/netns.h"

namespace tortie::test {
namespace {

using namespace std::chrono_literals;

// The embedded store: no request leaves the process, so system calls are all that can be disturbed.
// Requests to servers are disturbed in tests/cluster.
constexpr const char *kStore = "/run/tortie-test/store.db";
constexpr const char *kConfig = R"({
    "cniVersion": "1.0.0", "name": "net1", "type": "calico", "datastore_type": "local",
    "nodename": "node-a", "nodename_file_optional": true, "log_level": "error",
    "ipam_lock_file": "/run/tortie-test/ipam.lock", "policy": {"type": "k8s"},
    "ipam": {"type": "calico-ipam"}})";

// A namespace with nothing in it; the node's own pod has an interface already.
constexpr const char *kSandbox = "/run/netns/sandbox";

PluginCall calico_call(const std::string &verb)
{
    PluginCall call{.binary = plugin_path("calico"),
                    .env = cni_env(verb, "faulty", "eth0", kSandbox),
                    .input = kConfig,
                    .arguments = {}};
    call.env["TORTIE_STORE_PATH"] = kStore;
    call.env["CNI_ARGS"] = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1";
    return call;
}

// Without processes of their own: this is done after each of hundreds of points.
void add_links(Snapshot &facts, const std::string &where)
{
    std::istringstream lines(read_file("/proc/net/dev", std::size_t{1} << 20).value_or(""));
    for (std::string name; std::getline(lines, name, ':'); lines.ignore(4096, '\n')) {
        name.erase(0, name.find_last_of(" \n") + 1);
        if (name.starts_with("cali") || name == "eth0")
            facts.insert(where + name);
    }
}

void add_datastore(Snapshot &facts)
{
    const auto store = store::open_local(kStore);
    const auto report = calico::ipam_report(*store, Deadline::in(5s));
    const auto findings = calico::check_store(*store, {.by_endpoints = true}, Deadline::in(5s));
    if (!report || !findings) {
        facts.insert("the datastore cannot be read");
        return;
    }
    for (const calico::AddressUse &use : report->addresses)
        facts.insert("held by " + use.owner + ", " + use.handle);
    for (const ipam::Finding &finding : *findings)
        facts.insert("check: " + std::string(ipam::name_of(finding.problem)) + ' ' +
                     finding.object);
}

// Every ADD gets another address and other MAC addresses: what counts is who holds one, which links
// there are, that all agrees, and that nothing waits to be done.
Snapshot look_at_pod()
{
    Snapshot facts;
    add_links(facts, "link of the node: ");
    if (const auto inside = NetnsScope::enter(kSandbox))
        add_links(facts, "link of the pod: ");
    add_datastore(facts);
    std::error_code none;
    for (const auto &entry : std::filesystem::directory_iterator("/var/lib/tortie/queue", none))
        facts.insert("queued: " + entry.path().filename().string());
    return facts;
}

Result<> furnish()
{
    if (!std::filesystem::exists(kSandbox))
        TORTIE_DO(run_tool({"ip", "netns", "add", "sandbox"}));
    const PluginOutcome applied =
        run_plugin({.binary = plugin_path("calico-ipam"),
                    .env = {{"TORTIE_STORE_PATH", kStore}, {"DATASTORE_TYPE", "local"}},
                    .input = R"({"apiVersion": "projectcalico.org/v3", "kind": "IPPool",
                      "metadata": {"name": "lab"}, "spec": {"cidr": "10.80.0.0/24"}})",
                    .arguments = {"-apply", "-"}});
    if (applied.status != 0)
        return fail(ErrorKind::kSystem, applied.out + applied.err);
    return {};
}

class CalicoFaults : public FaultTest {
protected:
    CalicoFaults()
    {
        drill_.add = calico_call("ADD");
        drill_.del = calico_call("DEL");
        drill_.look = look_at_pod;
        drill_.furnish = furnish;
        drill_.polls_the_kernel = true;
    }

    Drill drill_;
};

TEST_F(CalicoFaults, AddKilledAnywhereIsCleanedByDel)
{
    expect_clean(kill_add_everywhere(drill_));
}

TEST_F(CalicoFaults, DelKilledAnywhereIsFinishedByDel)
{
    expect_clean(kill_del_everywhere(drill_));
}

}  // namespace
}  // namespace tortie::test
