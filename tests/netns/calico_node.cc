// SPDX-License-Identifier: Apache-2.0
#include "netns/calico_node.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "calico/ipam_site.h"
#include "store/local.h"

namespace tortie::test {
namespace {

using namespace std::chrono_literals;

Deadline soon()
{
    return Deadline::in(10s);
}

// The address of an ordinal; blocks of tests are small enough for the last two bytes.
IpAddr address_at(const Cidr &block, std::size_t ordinal)
{
    IpAddr ip = block.network();
    for (std::size_t i = 0; i < ordinal; ++i)
        ip = ip.next();
    return ip;
}

}  // namespace

CalicoNode::CalicoNode()
{
    EXPECT_EQ(::mkdir(plugins().c_str(), 0755), 0);
    for (const char *name : {"calico", "calico-ipam", "host-local"})
        EXPECT_EQ(::symlink(plugin_path(name).c_str(), (plugins() + '/' + name).c_str()), 0);
    node_.ip({"link", "set", "lo", "up"});
}

CalicoNode::~CalicoNode()
{
    calico::IpamSite site;
    site.store = "local " + store_path();
    site.node = "node-a";
    site.lock_file = folder_ / "ipam.lock";
    std::error_code ignored;
    std::filesystem::remove_all(calico::meeting_folder(site), ignored);
}

std::unique_ptr<store::Store> CalicoNode::open() const
{
    return store::open_local(store_path());
}

std::string CalicoNode::config_of(const CalicoCall &call) const
{
    std::string config = R"({"cniVersion":")" + call.version + R"(","name":")" + call.network +
                         R"(","type":"calico","datastore_type":"local","nodename":"node-a",)"
                         R"("nodename_file_optional":true,"ipam_lock_file":")" +
                         folder_.path() + R"(/ipam.lock","ipam":)" + call.ipam +
                         R"(,"policy":{"type":")" + call.policy + R"("})" + call.keys;
    if (!call.annotations.empty())
        config +=
            R"(,"runtimeConfig":{"io.kubernetes.cri.pod-annotations":)" + call.annotations + '}';
    return config + '}';
}

PluginOutcome CalicoNode::run(const std::string &program, const std::string &input,
                              std::map<std::string, std::string> env,
                              std::vector<std::string> arguments) const
{
    env.emplace("TORTIE_STORE_PATH", store_path());
    const PluginCall call{.binary = plugins() + '/' + program,
                          .env = std::move(env),
                          .input = input,
                          .arguments = std::move(arguments)};
    return node_.inside([&] { return run_plugin(call); });
}

PluginOutcome CalicoNode::call(const std::string &verb, const std::string &netns,
                               const CalicoCall &call) const
{
    auto env = cni_env(verb, call.container, call.ifname, netns);
    env["CNI_PATH"] = plugins();
    env["CNI_ARGS"] = call.args;
    if (!call.pod.empty())
        env["CNI_ARGS"] = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=" + call.pod +
                          (call.args.empty() ? "" : ";" + call.args);
    return run("calico", config_of(call), std::move(env), {});
}

PluginOutcome CalicoNode::add(const Netns &pod, const CalicoCall &call) const
{
    return this->call("ADD", pod.path(), call);
}

PluginOutcome CalicoNode::del(const Netns &pod, const CalicoCall &call) const
{
    return this->call("DEL", pod.path(), call);
}

std::string CalicoNode::added(const Netns &pod, const CalicoCall &call) const
{
    PluginOutcome outcome = add(pod, call);
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
    constexpr std::string_view kKey = "\"mac\": \"";
    const std::size_t at = outcome.out.find(kKey);
    if (at != std::string::npos)
        outcome.out.replace(at + kKey.size(), 17, "MAC");
    const std::size_t path = outcome.out.find(pod.path());
    if (path != std::string::npos)
        outcome.out.replace(path, pod.path().size(), "NETNS");
    return outcome.out;
}

void CalicoNode::put_pool(const std::string &name, const std::string &cidr,
                          std::int64_t block_size) const
{
    store::Pool pool;
    pool.name = name;
    pool.cidr = cidr;
    pool.block_size = block_size;
    const store::Write write{.op = store::Op::kCreate,
                             .key = store::PoolKey{.name = name},
                             .document = pool,
                             .expected = {},
                             .stage = 0};
    EXPECT_TRUE(store::all_written(open()->commit({&write, 1}, soon())));
}

void CalicoNode::set_ready(std::optional<bool> ready) const
{
    const auto store = open();
    auto held =
        store::get<store::ClusterInformation>(*store, store::ClusterInformationKey{}, soon());
    ASSERT_TRUE(held) << held.error().what();
    held->document.datastore_ready = ready;
    const store::Write write{.op = store::Op::kUpdate,
                             .key = store::ClusterInformationKey{},
                             .document = held->document,
                             .expected = held->revision,
                             .stage = 0};
    EXPECT_TRUE(store::all_written(store->commit({&write, 1}, soon())));
}

void CalicoNode::remove_cluster_information() const
{
    const auto store = open();
    auto held =
        store::get<store::ClusterInformation>(*store, store::ClusterInformationKey{}, soon());
    ASSERT_TRUE(held) << held.error().what();
    const store::Write write{.op = store::Op::kDelete,
                             .key = store::ClusterInformationKey{},
                             .document = held->document,
                             .expected = held->revision,
                             .stage = 0};
    EXPECT_TRUE(store::all_written(store->commit({&write, 1}, soon())));
}

std::vector<store::Endpoint> CalicoNode::endpoints() const
{
    const store::Query query = store::ListEndpoints{};
    auto found = store::all<store::Endpoint>(std::move(open()->read({&query, 1}, soon()).front()));
    EXPECT_TRUE(found);
    std::vector<store::Endpoint> endpoints;
    for (auto &each : *found)
        endpoints.push_back(std::move(each.document));
    return endpoints;
}

std::vector<std::string> CalicoNode::handles() const
{
    const store::Query query = store::ListHandles{};
    auto found = store::all<store::Handle>(std::move(open()->read({&query, 1}, soon()).front()));
    EXPECT_TRUE(found);
    std::vector<std::string> ids;
    for (const auto &each : *found)
        ids.push_back(each.document.id);
    return ids;
}

std::vector<std::string> CalicoNode::held() const
{
    const store::Query query = store::ListBlocks{};
    auto found = store::all<store::Block>(std::move(open()->read({&query, 1}, soon()).front()));
    EXPECT_TRUE(found);
    std::vector<std::string> held;
    for (const auto &[block, revision] : *found) {
        for (std::size_t i = 0; i < block.allocations.size(); ++i) {
            if (block.allocations[i])
                held.push_back(
                    address_at(block.cidr, i).to_string() + ' ' +
                    block.attributes.at(*block.allocations[i]).handle_id.value_or("nobody"));
        }
    }
    return held;
}

}  // namespace tortie::test
