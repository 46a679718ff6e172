// SPDX-License-Identifier: Apache-2.0
#include "calico/datastore.h"

#include <cstdlib>
#include <utility>

#include "store/config.h"
#include "store/local.h"

namespace tortie::calico_cni {
namespace {

const char *get_env(const char *name)
{
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): a plugin has one thread
}

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

}  // namespace

Result<Datastore> open_datastore(const NetConf &conf, const std::string &node)
{
    TORTIE_TRY(const store::Config config, store::load_config(conf.datastore_environment, get_env));
    Datastore datastore;
    datastore.site.store = name_of(config);
    datastore.site.node = node;
    datastore.site.lock_file = conf.ipam_lock_file;
    if (config.backend != store::Backend::kLocal)
        return fail(ErrorKind::kUnsupported, "this build reaches the local datastore only");
    datastore.site.boot_file = config.local_path + ".boot";
    datastore.store = store::open_local(config.local_path);
    datastore.local = true;
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
