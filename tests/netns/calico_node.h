// SPDX-License-Identifier: Apache-2.0
//
// A node with the embedded datastore, and the calico executable run on it as a runtime runs it.
//
//   CalicoNode node;
//   node.put_pool("p4", "10.80.0.0/16");
//   const Netns pod;
//   const PluginOutcome added = node.add(pod, {.container = "c1", .pod = "web-1"});
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "harness/netns.h"
#include "harness/plugin_call.h"
#include "harness/temp_dir.h"
#include "store/store.h"

namespace tortie::test {

struct CalicoCall {
    std::string container = "c1f0aa";
    std::string pod = {};  // of the namespace "shop"; empty: a container without pod
    std::string ifname = "eth0";
    std::string version = "1.0.0";
    std::string keys = {};         // more of the configuration: ",\"mtu\":1400"
    std::string annotations = {};  // of the pod, as a JSON object
    std::string ipam = R"({"type":"calico-ipam"})";
    std::string policy = "k8s";
    std::string network = "net1";
    std::string args = {};  // more of CNI_ARGS
};

class CalicoNode {
public:
    CalicoNode();
    ~CalicoNode();  // with what the plugins keep below /run for this datastore
    CalicoNode(const CalicoNode &) = delete;
    CalicoNode &operator=(const CalicoNode &) = delete;
    CalicoNode(CalicoNode &&) = delete;
    CalicoNode &operator=(CalicoNode &&) = delete;

    const Netns &netns() const { return node_; }
    const std::string &folder() const { return folder_.path(); }
    std::string plugins() const { return folder_ / "bin"; }  // CNI_PATH; ours under both names

    PluginOutcome call(const std::string &verb, const std::string &netns,
                       const CalicoCall &call) const;
    PluginOutcome add(const Netns &pod, const CalicoCall &call) const;
    PluginOutcome del(const Netns &pod, const CalicoCall &call) const;

    // A successful ADD; its result with the pod's MAC address written as MAC.
    std::string added(const Netns &pod, const CalicoCall &call) const;

    // The same with another program of the folder, with arguments.
    PluginOutcome run(const std::string &program, const std::string &input,
                      std::map<std::string, std::string> env,
                      std::vector<std::string> arguments) const;

    std::string config_of(const CalicoCall &call) const;

    // ---- what stands in the datastore ----

    void put_pool(const std::string &name, const std::string &cidr,
                  std::int64_t block_size = 0) const;
    void set_ready(std::optional<bool> ready) const;
    void remove_cluster_information() const;
    std::vector<store::Endpoint> endpoints() const;
    std::vector<std::string> handles() const;  // ids

    // "10.80.0.0 net1.c1f0aa": every address that is held, and by which handle.
    std::vector<std::string> held() const;

    std::string store_path() const { return folder_ / "store.db"; }

private:
    std::unique_ptr<store::Store> open() const;

    Netns node_;
    TempDir folder_;
};

}  // namespace tortie::test
