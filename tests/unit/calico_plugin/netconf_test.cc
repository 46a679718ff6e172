// SPDX-License-Identifier: Apache-2.0
#include "calico/netconf.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::calico_cni {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

NetConf parsed(const std::string &text)
{
    auto conf = parse_netconf(cni::Json::parse_object(text).value());
    EXPECT_TRUE(conf) << (conf ? "" : conf.error().what());
    return conf ? *std::move(conf) : NetConf();
}

std::string refusal(const std::string &text)
{
    const auto conf = parse_netconf(cni::Json::parse_object(text).value());
    return conf ? "accepted" : conf.error().what();
}

TEST(NetConf, HasCalicosDefaults)
{
    const NetConf conf = parsed(R"({"name": "net1", "type": "calico"})");

    EXPECT_EQ(conf.name, "net1");
    EXPECT_EQ(conf.nodename_file, "/var/lib/calico/nodename");
    EXPECT_FALSE(conf.nodename_file_optional);
    EXPECT_EQ(conf.ipam_lock_file, "/var/run/calico/ipam.lock");
    EXPECT_EQ(conf.endpoint_status_dir, "/var/run/calico/endpoint-status");
    EXPECT_EQ(conf.num_queues, 1U);
    EXPECT_EQ(conf.log.max_size_mb, 100);
    EXPECT_EQ(conf.log.max_age_days, 30);
    EXPECT_EQ(conf.log.max_count, 10);
    EXPECT_EQ(conf.device_type, DeviceType::kVeth);
    EXPECT_FALSE(conf.dataplane_type);
    EXPECT_EQ(conf.datastore_timeout, std::chrono::seconds(90));
    EXPECT_THAT(conf.datastore_environment, IsEmpty());
}

TEST(NetConf, TakesZeroValuesForKeysThatAreNotGiven)
{
    // What a serialised structure of Calico looks like.
    const NetConf conf = parsed(R"({
        "name": "net1", "mode": "", "vxlan_vni": 0, "mtu": 0, "num_queues": 0, "nodename": "",
        "nodename_file": "", "ipam_lock_file": "", "endpoint_status_dir": "",
        "readiness_gates": null, "log_file_max_size": 0, "RuntimeConfig": {"DNS": {}},
        "ipam": {"Name": "", "type": "calico-ipam", "assign_ipv4": null, "ipv4_pools": null},
        "args": {"org.apache.mesos": {"network_info": {"name": "", "labels": {}}}},
        "etcd_endpoints": "", "policy": {"type": ""}, "kubernetes": {"kubeconfig": ""}})");

    EXPECT_EQ(conf.nodename_file, "/var/lib/calico/nodename");
    EXPECT_EQ(conf.ipam_lock_file, "/var/run/calico/ipam.lock");
    EXPECT_EQ(conf.log.max_size_mb, 100);
    EXPECT_EQ(conf.num_queues, 1U);
    EXPECT_EQ(conf.ipam.type, "calico-ipam");
    EXPECT_EQ(conf.ipam.assign_ipv4, "");
    EXPECT_THAT(conf.mesos_labels, IsEmpty());
    EXPECT_THAT(conf.datastore_environment, IsEmpty());
}

TEST(NetConf, TakesKeysWhateverTheirCase)
{
    EXPECT_EQ(parsed(R"({"name": "n", "NodeName": "a", "MTU": 1400})").mtu, 1400);
}

TEST(NetConf, ExportsWhatOpensTheDatastore)
{
    const NetConf conf = parsed(R"({
        "name": "net1", "datastore_type": "etcdv3", "etcd_endpoints": "https://10.0.0.1:2379",
        "etcd_key_file": "k", "etcd_cert_file": "c", "etcd_ca_cert_file": "a", "qps": 20,
        "burst": 50, "calico_api_group": "projectcalico.org/v3",
        "kubernetes": {"kubeconfig": "/k", "k8s_api_root": "https://10.0.0.2"}})");

    EXPECT_THAT(conf.datastore_environment,
                ElementsAre(Pair("ETCD_ENDPOINTS", "https://10.0.0.1:2379"),
                            Pair("ETCD_KEY_FILE", "k"), Pair("ETCD_CERT_FILE", "c"),
                            Pair("ETCD_CA_CERT_FILE", "a"), Pair("DATASTORE_TYPE", "etcdv3"),
                            Pair("CALICO_API_GROUP", "projectcalico.org/v3"),
                            Pair("KUBECONFIG", "/k"), Pair("K8S_API_ENDPOINT", "https://10.0.0.2"),
                            Pair("K8S_CLIENT_QPS", "20"), Pair("K8S_CLIENT_BURST", "50")));
}

TEST(NetConf, KnowsDeviceTypes)
{
    EXPECT_EQ(parsed(R"({"name": "n", "device_type": ""})").device_type, DeviceType::kVeth);
    EXPECT_EQ(parsed(R"({"name": "n", "device_type": "veth"})").device_type, DeviceType::kVeth);
    EXPECT_EQ(parsed(R"({"name": "n", "device_type": "netkit"})").device_type, DeviceType::kNetkit);
    EXPECT_EQ(parsed(R"({"name": "n", "device_type": "ipvlan"})").unknown_device_type, "ipvlan");
}

TEST(NetConf, ReadsTheTypeOfTheDataplane)
{
    EXPECT_EQ(parsed(R"({"name": "n", "dataplane_options": {"type": "grpc"}})").dataplane_type,
              "grpc");
    EXPECT_EQ(parsed(R"({"name": "n", "dataplane_options": {"type": 7}})").dataplane_type, "7");
    EXPECT_FALSE(parsed(R"({"name": "n", "dataplane_options": {"x": "y"}})").dataplane_type);
}

TEST(NetConf, ReadsLabelsOfMesosAndAnnotationsFromTheRuntime)
{
    const NetConf conf = parsed(R"({"name": "n",
        "args": {"org.apache.mesos": {"network_info": {"labels": {"labels": [
            {"key": "role", "value": "web"}]}}}},
        "runtimeConfig": {"io.kubernetes.cri.pod-annotations": {"a": "b"}}})");

    EXPECT_THAT(conf.mesos_labels, ElementsAre(Pair("role", "web")));
    EXPECT_THAT(conf.pod_annotations, ElementsAre(Pair("a", "b")));
}

TEST(NetConf, NamesTheKeyOfAWrongTypeAsGoDoes)
{
    EXPECT_EQ(refusal(R"({"name": "n", "readiness_gates": "http://gate.example"})"),
              "failed to load netconf: json: cannot unmarshal string into Go struct field "
              "NetConf.readiness_gates of type array");
    EXPECT_EQ(refusal(R"({"name": "n", "ipam": {"assign_ipv4": true}})"),
              "failed to load netconf: json: cannot unmarshal bool into Go struct field "
              "NetConf.ipam.assign_ipv4 of type string");
    EXPECT_EQ(refusal(R"({"name": "n", "mtu": "1500"})"),
              "failed to load netconf: json: cannot unmarshal string into Go struct field "
              "NetConf.mtu of type int");
}

TEST(NetConf, WithALimitBelowZeroIsUnusableAndHasTheDefault)
{
    const auto complaint = [](const std::string &key) {
        const NetConf conf = parsed(R"({"name": "n", ")" + key + R"(": -1})");
        EXPECT_EQ(conf.policy_setup_timeout, std::chrono::seconds(0));
        EXPECT_EQ(conf.datastore_timeout, std::chrono::seconds(90));
        EXPECT_EQ(conf.connect_timeout, std::chrono::seconds(10));
        return conf.unusable;
    };
    EXPECT_EQ(complaint("policy_setup_timeout_seconds"), "invalid pod startup delay of -1");
    EXPECT_EQ(complaint("datastore_timeout_seconds"), "datastore_timeout_seconds must be positive");
    EXPECT_EQ(complaint("datastore_connect_timeout_seconds"),
              "datastore_connect_timeout_seconds must be positive");
}

}  // namespace
}  // namespace tortie::calico_cni
