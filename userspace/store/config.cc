// SPDX-License-Identifier: Apache-2.0
#include "store/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/strings.h"
#include "store/local.h"

namespace tortie::store {
namespace {

class Variables {
public:
    Variables(std::span<const Variable> set, const GetEnv &get_env) : set_(set), get_env_(get_env)
    {
    }

    // Only the environment's own, without Calico's prefix.
    std::string plain(const char *name) const
    {
        const char *value = get_env_(name);
        return value == nullptr ? std::string() : value;
    }

    std::string text(const std::string &name) const
    {
        if (const char *value = get_env_(("CALICO_" + name).c_str()))
            return value;
        for (const auto &[key, value] : set_) {
            if (key == name && !value.empty())
                return value;
        }
        return plain(name.c_str());
    }

private:
    std::span<const Variable> set_;
    const GetEnv &get_env_;
};

// In the words of the Go library that reads the environment there.
tl::unexpected<Error> bad_value(const std::string &name, std::string_view field,
                                std::string_view type, std::string_view parser,
                                const std::string &value)
{
    return fail(ErrorKind::kInvalidInput,
                "failed to load config from env vars: envconfig.Process: assigning CALICO_" + name +
                    " to " + std::string(field) + ": converting '" + value + "' to type " +
                    std::string(type) + ". details: strconv." + std::string(parser) + ": parsing " +
                    go_quoted(value) + ": invalid syntax");
}

Result<bool> flag(const Variables &variables, const std::string &name, std::string_view field)
{
    constexpr std::array<std::string_view, 6> kYes = {"1", "t", "T", "true", "TRUE", "True"};
    constexpr std::array<std::string_view, 6> kNo = {"0", "f", "F", "false", "FALSE", "False"};
    const std::string value = variables.text(name);
    if (std::find(kYes.begin(), kYes.end(), value) != kYes.end())
        return true;
    if (value.empty() || std::find(kNo.begin(), kNo.end(), value) != kNo.end())
        return false;
    return bad_value(name, field, "bool", "ParseBool", value);
}

// Not used: requests are as few as they can be. Only refused where Calico refuses them.
Result<> check_limits(const Variables &variables)
{
    const std::string qps = variables.text("K8S_CLIENT_QPS");
    double number = 0;
    const auto [stop, error] = std::from_chars(qps.data(), qps.data() + qps.size(), number);
    if (!qps.empty() && (error != std::errc() || stop != qps.data() + qps.size()))
        return bad_value("K8S_CLIENT_QPS", "K8sClientQPS", "float32", "ParseFloat", qps);
    const std::string burst = variables.text("K8S_CLIENT_BURST");
    if (!burst.empty() && !parse_number<std::int32_t>(burst))
        return bad_value("K8S_CLIENT_BURST", "K8sClientBurst", "int", "ParseInt", burst);
    return {};
}

ApiGroup group_of(const std::string &text)
{
    if (text.empty())
        return ApiGroup::kDiscover;
    return equals_ignore_case(text, "projectcalico.org/v3") ? ApiGroup::kCrdV3 : ApiGroup::kCrdV1;
}

Result<KubernetesSettings> kubernetes_settings(const Variables &variables)
{
    KubernetesSettings settings;
    settings.kubeconfig = variables.text("KUBECONFIG");
    settings.api_endpoint = variables.text("K8S_API_ENDPOINT");
    settings.key_file = variables.text("K8S_KEY_FILE");
    settings.cert_file = variables.text("K8S_CERT_FILE");
    settings.ca_file = variables.text("K8S_CA_FILE");
    settings.token = variables.plain("CALICO_K8SAPITOKEN");  // the only name that Calico reads
    settings.current_context = variables.text("K8S_CURRENT_CONTEXT");
    settings.group = group_of(variables.text("CALICO_API_GROUP"));
    TORTIE_TRY(settings.insecure_skip_tls_verify,
               flag(variables, "K8S_INSECURE_SKIP_TLS_VERIFY", "K8sInsecureSkipTLSVerify"));
    TORTIE_DO(flag(variables, "K8S_DISABLE_NODE_POLL", "K8sDisableNodePoll"));
    TORTIE_DO(flag(variables, "USE_POD_CIDR", "K8sUsePodCIDR"));
    TORTIE_DO(check_limits(variables));

    const std::string home = variables.plain("HOME");
    if (settings.kubeconfig.empty() && settings.api_endpoint.empty() && !home.empty()) {
        const std::string usual = home + "/.kube/config";
        if (::access(usual.c_str(), F_OK) == 0)
            settings.kubeconfig = usual;
    }
    settings.in_cluster = settings.kubeconfig.empty() && settings.api_endpoint.empty();
    return settings;
}

Result<EtcdSettings> etcd_settings(const Variables &variables)
{
    EtcdSettings settings;
    settings.endpoints = variables.text("ETCD_ENDPOINTS");
    settings.ca_file = variables.text("ETCD_CA_CERT_FILE");
    settings.cert_file = variables.text("ETCD_CERT_FILE");
    settings.key_file = variables.text("ETCD_KEY_FILE");
    settings.username = variables.text("ETCD_USERNAME");
    settings.password = variables.text("ETCD_PASSWORD");
    settings.discovery_domain = variables.text("ETCD_DISCOVERY_SRV");
    if (!settings.endpoints.empty() && !settings.discovery_domain.empty())
        return fail(ErrorKind::kInvalidInput,
                    "multiple discovery or bootstrap options specified, use either "
                    "\"etcdEndpoints\" or \"etcdDiscoverySrv\"");
    if (settings.endpoints.empty() && settings.discovery_domain.empty())
        return fail(ErrorKind::kInvalidInput, "no etcd endpoints specified");
    return settings;
}

Result<Backend> backend_of(const Variables &variables)
{
    const std::string type = variables.text("DATASTORE_TYPE");
    if (type.empty())
        return variables.text("ETCD_ENDPOINTS").empty() ? Backend::kKubernetes : Backend::kEtcd;
    if (type == "kubernetes")
        return Backend::kKubernetes;
    if (type == "etcdv3")
        return Backend::kEtcd;
    if (type == "local")
        return Backend::kLocal;
    return fail(ErrorKind::kInvalidInput, "unknown datastore type: " + type);
}

}  // namespace

Result<Config> load_config(std::span<const Variable> set, const GetEnv &get_env)
{
    const Variables variables(set, get_env);
    Config config;
    TORTIE_TRY(config.kubernetes, kubernetes_settings(variables));
    TORTIE_TRY(config.backend, backend_of(variables));
    if (config.backend == Backend::kEtcd) {
        TORTIE_TRY(config.etcd, etcd_settings(variables));
    }
    config.local_path = variables.text("TORTIE_STORE_PATH");
    if (config.local_path.empty())
        config.local_path = kLocalPath;
    return config;
}

}  // namespace tortie::store
