// SPDX-License-Identifier: Apache-2.0
#include "netns/tuning_fixture.h"

#include <linux/netlink.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/mac_addr.h"
#include "base/subprocess.h"
#include "sys/sysctl.h"

namespace tortie {

using test::PluginOutcome;

namespace {

// What the plugin before us in the chain would have answered.
std::string previous_result(const std::string &version)
{
    if (version < "0.3.0")
        return R"({"cniVersion": ")" + version + R"(", "ip4": {"ip": "10.0.0.2/24"}})";
    const std::string ip_version = version < "1.0.0" ? R"("version": "4", )" : "";
    return R"({"cniVersion": ")" + version +
           R"(", "interfaces": [{"name": "br0"}, {"name": "eth0", "mac": "0a:00:00:00:00:01",
           "sandbox": "/run/netns/pod"}], "ips": [{)" +
           ip_version + R"("address": "10.0.0.2/24", "interface": 1}]})";
}

}  // namespace

void TuningInNetns::SetUp()
{
    TORTIE_NEEDS_ROOT();
    pod_.emplace();
    test::veth_pair(*pod_, "eth0", *pod_, "peer0");
    pod_->ip({"link", "set", "eth0", "address", "0a:00:00:00:00:01"});
}

std::string TuningInNetns::config_of(const Call &call) const
{
    std::string config = R"({"cniVersion": ")" + call.version +
                         R"(", "name": "podnet", "type": "tuning", "dataDir": ")" + data_dir_ + '"';
    if (call.previous_result)
        config += R"(, "prevResult": )" + previous_result(call.version);
    if (!call.keys.empty())
        config += ", " + call.keys;
    return config + '}';
}

PluginOutcome TuningInNetns::call(const Call &call) const
{
    auto env = test::cni_env(call.verb, call.container, call.ifname,
                             call.netns.empty() ? pod_->path() : call.netns);
    if (!call.args.empty())
        env["CNI_ARGS"] = call.args;
    return test::run_plugin(
        {.binary = call.binary.empty() ? test::plugin_path("tuning") : call.binary,
         .env = env,
         .input = config_of(call),
         .arguments = {}});
}

PluginOutcome TuningInNetns::add(const std::string &keys) const
{
    return call({.verb = "ADD", .keys = keys});
}

PluginOutcome TuningInNetns::check(const std::string &keys) const
{
    return call({.verb = "CHECK", .keys = keys});
}

PluginOutcome TuningInNetns::del(const std::string &keys) const
{
    return call({.verb = "DEL", .keys = keys});
}

PluginOutcome TuningInNetns::add_with_allowlist(const std::string &text,
                                                const std::string &keys) const
{
    constexpr const char *kScript =
        "mount -t tmpfs none /etc && mkdir -p /etc/cni/tuning && "
        "printf %s \"$1\" > /etc/cni/tuning/allowlist.conf && exec \"$2\"";
    auto env = test::cni_env("ADD", "some-container", "eth0", pod_->path());
    env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
    return test::run_plugin({.binary = find_program("unshare", "").value(),
                             .env = env,
                             .input = config_of({.verb = "ADD", .keys = keys}),
                             .arguments = {"--mount", "--propagation", "private", "sh", "-c",
                                           kScript, "sh", text, test::plugin_path("tuning")}});
}

Link TuningInNetns::eth0() const
{
    return pod_->inside([] {
        NetlinkSocket socket = NetlinkSocket::open(NETLINK_ROUTE).value();
        return find_link(socket, "eth0").value();
    });
}

std::string TuningInNetns::sysctl(const std::string &name) const
{
    return pod_->inside([&] { return read_sysctl(name); }).value();
}

std::optional<std::string> TuningInNetns::backup(const std::string &name) const
{
    std::ifstream file(data_dir_ + '/' + name + ".json");
    if (!file)
        return std::nullopt;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void TuningInNetns::put_backup(const std::string &text) const
{
    std::filesystem::create_directories(data_dir_);
    std::ofstream(data_dir_ + "/some-container_eth0.json") << text;
}

bool TuningInNetns::data_dir_is_empty() const
{
    return !std::filesystem::exists(data_dir_) || std::filesystem::is_empty(data_dir_);
}

std::string mac_of(const Link &link)
{
    return print_mac(link.mac);
}

}  // namespace tortie
