// SPDX-License-Identifier: Apache-2.0
#include "calico/datastore.h"

#include <utility>

#include "base/process.h"
#include "base/strings.h"
#include "calico/with_cluster.h"
#include "http/url.h"
#include "store/config.h"
#include "store/etcd.h"
#include "store/kubernetes.h"
#include "store/local.h"

namespace tortie::calico_cni {
namespace {

// URLs, separated by commas, without the users and passwords that may stand in them.
std::string without_users(std::string_view urls)
{
    std::string plain;
    for (const std::string_view text : split(urls, ',')) {
        const auto url = http::parse_url(trim(text));
        plain += plain.empty() ? "" : ",";
        if (url)
            plain.append(url->scheme).append("://").append(url->address()).append(url->path);
    }
    return plain;
}

// What tells datastores apart on a node. No secrets: it stands in files.
std::string name_of(const store::Config &config)
{
    switch (config.backend) {
    case store::Backend::kLocal:
        return "local " + config.local_path;
    case store::Backend::kEtcd:
        return "etcd " + without_users(config.etcd.endpoints) + config.etcd.discovery_domain;
    case store::Backend::kKubernetes:
        return "kubernetes " + config.kubernetes.kubeconfig + ' ' +
               without_users(config.kubernetes.api_endpoint);
    }
    return "";
}

// Where pods are read beside etcd: what `policy` says about the API server goes before the
// kubeconfig, and `kubernetes.k8s_api_root` before both. Everything from the first "/api/" on is
// no part of the address.
store::KubernetesSettings beside_etcd(store::KubernetesSettings settings, const PolicyConf &policy)
{
    const auto set = [](const std::string &said, std::string &into) {
        if (!said.empty())
            into = said;
    };
    if (settings.api_endpoint.empty())
        set(policy.k8s_api_root.substr(0, policy.k8s_api_root.find("/api/")),
            settings.api_endpoint);
    set(policy.k8s_auth_token, settings.token);
    set(policy.k8s_client_certificate, settings.cert_file);
    set(policy.k8s_client_key, settings.key_file);
    set(policy.k8s_certificate_authority, settings.ca_file);
    settings.in_cluster = settings.in_cluster && settings.api_endpoint.empty();
    return settings;
}

}  // namespace

Result<Datastore> open_datastore(const NetConf &conf, const std::string &node)
{
    TORTIE_TRY(store::Config config, store::load_config(conf.datastore_environment, get_env));
    config.etcd.connect_limit = conf.connect_timeout;
    config.kubernetes.connect_limit = conf.connect_timeout;
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
        TORTIE_TRY(auto documents, store::open_etcd(config.etcd));
        auto cluster = store::open_kubernetes(beside_etcd(config.kubernetes, conf.policy), get_env);
        datastore.cluster = cluster.get();
        datastore.store = std::make_unique<WithCluster>(std::move(documents), std::move(cluster));
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
