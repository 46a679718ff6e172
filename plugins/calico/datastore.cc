// SPDX-License-Identifier: Apache-2.0
#include "calico/datastore.h"

#include <utility>

#include "base/process.h"
#include "calico/with_cluster.h"
#include "store/config.h"
#include "store/etcd.h"
#include "store/kubernetes.h"
#include "store/local.h"

namespace tortie::calico_cni {
namespace {

// What tells datastores apart on a node. No secrets: it stands in files and names of folders.
std::string name_of(const store::Config &config)
{
    switch (config.backend) {
    case store::Backend::kLocal:
        return "local " + config.local_path;
    case store::Backend::kEtcd:
        return "etcd " + config.etcd.endpoints;
    case store::Backend::kKubernetes:
        return "kubernetes " + config.kubernetes.kubeconfig + ' ' + config.kubernetes.api_endpoint;
    }
    return "";
}

Result<std::unique_ptr<store::Store>> open_with_etcd(const store::Config &config)
{
    TORTIE_TRY(auto documents, store::open_etcd(config.etcd));
    return std::make_unique<WithCluster>(std::move(documents),
                                         store::open_kubernetes(config.kubernetes, get_env));
}

}  // namespace

Result<Datastore> open_datastore(const NetConf &conf, const std::string &node)
{
    TORTIE_TRY(const store::Config config, store::load_config(conf.datastore_environment, get_env));
    Datastore datastore;
    datastore.site.store = name_of(config);
    datastore.site.node = node;
    datastore.site.lock_file = conf.ipam_lock_file;
    switch (config.backend) {
    case store::Backend::kLocal:
        datastore.local = true;
        datastore.site.boot_file = config.local_path + ".boot";
        datastore.store = store::open_local(config.local_path);
        break;
    case store::Backend::kEtcd: {
        TORTIE_TRY(datastore.store, open_with_etcd(config));
        break;
    }
    case store::Backend::kKubernetes:
        datastore.store = store::open_kubernetes(config.kubernetes, get_env);
        break;
    }
    return datastore;
}

Result<> require_ready(store::Found found)
{
    auto information = store::one<store::ClusterInformation>(std::move(found));
    if (!information)
        return fail(std::move(information).error().within("error getting ClusterInformation"));
    if (information->document.datastore_ready.value_or(false))
        return {};
    return fail(ErrorKind::kTryAgain, kNotReady);
}

}  // namespace tortie::calico_cni
