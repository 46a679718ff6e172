// SPDX-License-Identifier: Apache-2.0
#include "store/config.h"

#include <sys/stat.h>

#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/temp_dir.h"
#include "store/local.h"

namespace tortie::store {
namespace {

using Environment = std::map<std::string, std::string>;

Result<Config> load(const Environment &environment, const std::vector<Variable> &set = {})
{
    return load_config(set, [&](const char *name) -> const char * {
        const auto found = environment.find(name);
        return found == environment.end() ? nullptr : found->second.c_str();
    });
}

std::string error_of(const Environment &environment)
{
    const Result<Config> config = load(environment);
    return config ? "" : config.error().what();
}

TEST(StoreConfig, IsTheClusterItselfWhenNothingIsSaid)
{
    const Config config = load({}).value();

    EXPECT_EQ(config.backend, Backend::kKubernetes);
    EXPECT_TRUE(config.kubernetes.in_cluster);
    EXPECT_EQ(config.kubernetes.group, ApiGroup::kDiscover);
}

TEST(StoreConfig, IsEtcdWhenEndpointsAreSaidAndNoType)
{
    const Config config = load({{"ETCD_ENDPOINTS", "http://192.0.2.1:2379"}}).value();

    EXPECT_EQ(config.backend, Backend::kEtcd);
    EXPECT_EQ(config.etcd.endpoints, "http://192.0.2.1:2379");
}

TEST(StoreConfig, IsKubernetesWhenTheTypeSaysSoBesideEndpoints)
{
    EXPECT_EQ(load({{"ETCD_ENDPOINTS", "http://192.0.2.1:2379"}, {"DATASTORE_TYPE", "kubernetes"}})
                  ->backend,
              Backend::kKubernetes);
}

TEST(StoreConfig, IsLocalOnlyWhenSaid)
{
    const Config config = load({{"DATASTORE_TYPE", "local"}}).value();
    EXPECT_EQ(config.backend, Backend::kLocal);
    EXPECT_EQ(config.local_path, kLocalPath);

    EXPECT_EQ(load({{"DATASTORE_TYPE", "local"}, {"TORTIE_STORE_PATH", "/x.db"}})->local_path,
              "/x.db");
}

TEST(StoreConfig, PrefersCalicosNameThenTheConfigurationThenTheBareName)
{
    const std::vector<Variable> set = {{"KUBECONFIG", "/netconf"}};
    EXPECT_EQ(load({{"KUBECONFIG", "/env"}})->kubernetes.kubeconfig, "/env");
    EXPECT_EQ(load({{"KUBECONFIG", "/env"}}, set)->kubernetes.kubeconfig, "/netconf");
    EXPECT_EQ(load({{"KUBECONFIG", "/env"}, {"CALICO_KUBECONFIG", "/calico"}}, set)
                  ->kubernetes.kubeconfig,
              "/calico");
}

TEST(StoreConfig, TakesTheUsersKubeconfigWhenThereIsOne)
{
    const test::TempDir home;
    ASSERT_EQ(::mkdir((home / ".kube").c_str(), 0700), 0);
    const std::string usual = home / ".kube/config";
    EXPECT_TRUE(load({{"HOME", home.path()}})->kubernetes.in_cluster);
    ASSERT_TRUE(replace_file(usual, "{}", 0600));

    EXPECT_EQ(load({{"HOME", home.path()}})->kubernetes.kubeconfig, usual);
    EXPECT_EQ(load({{"HOME", home.path()}, {"K8S_API_ENDPOINT", "https://192.0.2.1"}})
                  ->kubernetes.kubeconfig,
              "");
}

TEST(StoreConfig, ReadsTheTokenUnderItsMisspeltNameOnly)
{
    EXPECT_EQ(load({{"CALICO_K8SAPITOKEN", "t"}})->kubernetes.token, "t");
    EXPECT_EQ(load({{"K8S_API_TOKEN", "t"}})->kubernetes.token, "");
}

TEST(StoreConfig, KnowsBothApiGroups)
{
    const auto group = [](const char *text) {
        return load({{"CALICO_API_GROUP", text}})->kubernetes.group;
    };
    EXPECT_EQ(group(""), ApiGroup::kDiscover);
    EXPECT_EQ(group("ProjectCalico.org/V3"), ApiGroup::kCrdV3);
    EXPECT_EQ(group("crd.projectcalico.org/v1"), ApiGroup::kCrdV1);
    EXPECT_EQ(group("anything"), ApiGroup::kCrdV1);
}

TEST(StoreConfig, RefusesInCalicosWords)
{
    EXPECT_EQ(error_of({{"DATASTORE_TYPE", "redis"}}), "unknown datastore type: redis");
    EXPECT_EQ(error_of({{"DATASTORE_TYPE", "etcdv3"}}), "no etcd endpoints specified");
    EXPECT_EQ(error_of({{"ETCD_ENDPOINTS", "http://192.0.2.1:1"}, {"ETCD_DISCOVERY_SRV", "b"}}),
              "multiple discovery or bootstrap options specified, use either \"etcdEndpoints\" or "
              "\"etcdDiscoverySrv\"");
    EXPECT_EQ(error_of({{"K8S_INSECURE_SKIP_TLS_VERIFY", "maybe"}}),
              "failed to load config from env vars: envconfig.Process: assigning "
              "CALICO_K8S_INSECURE_SKIP_TLS_VERIFY to K8sInsecureSkipTLSVerify: converting 'maybe' "
              "to type bool. details: strconv.ParseBool: parsing \"maybe\": invalid syntax");
    EXPECT_EQ(error_of({{"K8S_CLIENT_QPS", "fast"}}),
              "failed to load config from env vars: envconfig.Process: assigning "
              "CALICO_K8S_CLIENT_QPS to K8sClientQPS: converting 'fast' to type float32. details: "
              "strconv.ParseFloat: parsing \"fast\": invalid syntax");
}

TEST(StoreConfig, TakesADomainInsteadOfEndpoints)
{
    const Result<Config> config =
        load({{"DATASTORE_TYPE", "etcdv3"}, {"ETCD_DISCOVERY_SRV", "lab.example"}});

    ASSERT_TRUE(config);
    EXPECT_EQ(config->etcd.discovery_domain, "lab.example");
}

}  // namespace
}  // namespace tortie::store
