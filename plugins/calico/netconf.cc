// SPDX-License-Identifier: Apache-2.0
#include "calico/netconf.h"

#include <algorithm>
#include <limits>
#include <string_view>

namespace tortie::calico_cni {
namespace {

constexpr std::string_view kMesos = "org.apache.mesos";
constexpr std::string_view kPodAnnotations = "io.kubernetes.cri.pod-annotations";

// One object of the configuration. Values that are absent or zero leave `into` as it is, as when
// Go decodes into a structure that holds the defaults. The first wrong type is kept for the end,
// so that a list of keys reads like a list.
class Reader {
public:
    Reader(cni::Json json, std::string path, std::optional<Error> &first_error)
        : json_(std::move(json)), path_(std::move(path)), first_error_(&first_error)
    {
    }

    void read(std::string_view key, std::string &into)
    {
        auto value = json_.string(key);
        if (taken(value) && !value->empty())
            into = *std::move(value);
    }

    void read(std::string_view key, bool &into)
    {
        const auto value = json_.boolean(key, into);
        if (taken(value))
            into = *value;
    }

    void read(std::string_view key, std::int64_t &into)
    {
        const auto value = json_.integer(key, 0);
        if (taken(value) && *value != 0)
            into = *value;
    }

    void read(std::string_view key, std::vector<std::string> &into)
    {
        auto value = json_.strings(key);
        if (taken(value))
            into = *std::move(value);
    }

    void read(std::string_view key, StringPairs &into)
    {
        auto value = json_.string_map(key);
        if (taken(value))
            into = *std::move(value);
    }

    Reader object(std::string_view key)
    {
        auto value = json_.object(key);
        return {taken(value) ? *std::move(value) : cni::Json(), path_ + std::string(key) + '.',
                *first_error_};
    }

    std::vector<Reader> objects(std::string_view key)
    {
        std::vector<Reader> readers;
        const auto values = json_.elements(key);
        if (!taken(values))
            return readers;
        for (const cni::Json &value : *values)
            readers.emplace_back(value, path_ + std::string(key) + '.', *first_error_);
        return readers;
    }

    const cni::Json &json() const { return json_; }

private:
    template <class T>
    bool taken(const Result<T> &value)
    {
        if (value)
            return true;
        if (!*first_error_)
            *first_error_ = Error(value.error().kind(), with_path(value.error().what()));
        return false;
    }

    // "Go struct field mtu of type int" -> "Go struct field NetConf.mtu of type int"
    std::string with_path(std::string text) const
    {
        constexpr std::string_view kField = "Go struct field ";
        const std::size_t at = text.find(kField);
        if (at != std::string::npos)
            text.insert(at + kField.size(), path_);
        return text;
    }

    cni::Json json_;
    std::string path_;
    std::optional<Error> *first_error_;
};

void read_node(Reader &reader, NetConf &conf)
{
    reader.read("nodename", conf.nodename);
    reader.read("nodename_file", conf.nodename_file);
    reader.read("nodename_file_optional", conf.nodename_file_optional);
    reader.read("hostname", conf.hostname);
    reader.read("ipam_lock_file", conf.ipam_lock_file);
    reader.read("windows_use_single_network", conf.single_windows_network);
}

void read_ipam(Reader reader, IpamConf &ipam)
{
    reader.read("type", ipam.type);
    reader.read("subnet", ipam.subnet);
    reader.read("assign_ipv4", ipam.assign_ipv4);
    reader.read("assign_ipv6", ipam.assign_ipv6);
    reader.read("ipv4_pools", ipam.ipv4_pools);
    reader.read("ipv6_pools", ipam.ipv6_pools);
}

void read_kubernetes(Reader &reader, NetConf &conf)
{
    Reader policy = reader.object("policy");
    policy.read("type", conf.policy.type);
    policy.read("k8s_api_root", conf.policy.k8s_api_root);
    policy.read("k8s_auth_token", conf.policy.k8s_auth_token);
    policy.read("k8s_client_certificate", conf.policy.k8s_client_certificate);
    policy.read("k8s_client_key", conf.policy.k8s_client_key);
    policy.read("k8s_certificate_authority", conf.policy.k8s_certificate_authority);

    Reader kubernetes = reader.object("kubernetes");
    kubernetes.read("kubeconfig", conf.kubernetes.kubeconfig);
    kubernetes.read("k8s_api_root", conf.kubernetes.k8s_api_root);
    kubernetes.read("node_name", conf.kubernetes.node_name);
}

void read_log(Reader &reader, LogConf &log)
{
    reader.read("log_level", log.level);
    reader.read("log_file_path", log.file_path);
    reader.read("log_file_max_size", log.max_size_mb);
    reader.read("log_file_max_age", log.max_age_days);
    reader.read("log_file_max_count", log.max_count);
}

void read_link(Reader &reader, NetConf &conf)
{
    reader.read("mode", conf.mode);
    reader.read("mtu", conf.mtu);
    reader.read("require_mtu_file", conf.require_mtu_file);
    reader.read("include_default_routes", conf.include_default_routes);
    std::int64_t queues = 0;
    reader.read("num_queues", queues);
    conf.num_queues = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(queues, 1, std::numeric_limits<std::uint32_t>::max()));

    std::string device;
    reader.read("device_type", device);
    if (device == "netkit")
        conf.device_type = DeviceType::kNetkit;
    else if (device != "veth")
        conf.unknown_device_type = device;

    Reader options = reader.object("dataplane_options");
    const cni::Json type = options.json().at("type");
    if (const auto text = type.as_string(); type.present())
        conf.dataplane_type = text ? *text : type.dump();
    reader.object("container_settings").read("allow_ip_forwarding", conf.allow_ip_forwarding);
}

void read_runtime(Reader &reader, NetConf &conf)
{
    Reader labels = reader.object("args").object(kMesos).object("network_info").object("labels");
    for (Reader &label : labels.objects("labels")) {
        std::pair<std::string, std::string> pair;
        label.read("key", pair.first);
        label.read("value", pair.second);
        conf.mesos_labels.push_back(std::move(pair));
    }
    reader.object("runtimeConfig").read(kPodAnnotations, conf.pod_annotations);
}

// The key of the configuration, the variable it becomes; in the order of Calico's code.
void read_datastore(Reader &reader, NetConf &conf)
{
    constexpr std::pair<std::string_view, std::string_view> kTexts[] = {
        {"etcd_authority", "ETCD_AUTHORITY"},         {"etcd_endpoints", "ETCD_ENDPOINTS"},
        {"etcd_discovery_srv", "ETCD_DISCOVERY_SRV"}, {"etcd_scheme", "ETCD_SCHEME"},
        {"etcd_key_file", "ETCD_KEY_FILE"},           {"etcd_cert_file", "ETCD_CERT_FILE"},
        {"etcd_ca_cert_file", "ETCD_CA_CERT_FILE"},   {"datastore_type", "DATASTORE_TYPE"},
        {"calico_api_group", "CALICO_API_GROUP"}};
    const auto add = [&](std::string_view name, std::string value) {
        if (!value.empty())
            conf.datastore_environment.emplace_back(name, std::move(value));
    };
    for (const auto &[key, variable] : kTexts) {
        std::string value;
        reader.read(key, value);
        if (key == "datastore_type")
            conf.datastore_type = value;
        add(variable, std::move(value));
    }
    add("KUBECONFIG", conf.kubernetes.kubeconfig);
    add("K8S_API_ENDPOINT", conf.kubernetes.k8s_api_root);
    add("K8S_API_TOKEN", conf.policy.k8s_auth_token);
    for (const auto &[key, variable] :
         {std::pair{"qps", "K8S_CLIENT_QPS"}, std::pair{"burst", "K8S_CLIENT_BURST"}}) {
        std::int64_t number = 0;
        reader.read(key, number);
        if (number != 0)
            add(variable, std::to_string(number));
    }
}

struct Limits {
    std::int64_t policy_setup_s = 0;
    std::int64_t datastore_s = 90;
    std::int64_t connect_s = 10;
};

// One that makes no sense is left at its default.
void take_limits(const Limits &limits, NetConf &conf)
{
    constexpr std::int64_t kLongestS = std::int64_t{24} * 60 * 60;
    const auto take = [&](std::int64_t given_s, auto &into, const std::string &complaint) {
        if (given_s >= 0)
            into = std::chrono::seconds(std::min(given_s, kLongestS));
        else if (conf.unusable.empty())
            conf.unusable = complaint;
    };
    take(limits.policy_setup_s, conf.policy_setup_timeout,
         "invalid pod startup delay of " + std::to_string(limits.policy_setup_s));
    take(limits.datastore_s, conf.datastore_timeout, "datastore_timeout_seconds must be positive");
    take(limits.connect_s, conf.connect_timeout,
         "datastore_connect_timeout_seconds must be positive");
}

}  // namespace

Result<NetConf> parse_netconf(const cni::Json &config)
{
    NetConf conf;
    std::optional<Error> wrong;
    Reader reader(config, "NetConf.", wrong);
    reader.read("name", conf.name);
    read_link(reader, conf);
    read_node(reader, conf);
    read_ipam(reader.object("ipam"), conf.ipam);
    read_kubernetes(reader, conf);
    read_datastore(reader, conf);
    read_log(reader, conf.log);
    read_runtime(reader, conf);
    Reader features = reader.object("feature_control");
    features.read("ip_addrs_no_ipam", conf.ip_addrs_no_ipam);
    features.read("floating_ips", conf.floating_ips);
    reader.read("readiness_gates", conf.readiness_gates);
    reader.read("endpoint_status_dir", conf.endpoint_status_dir);
    Limits limits;
    reader.read("policy_setup_timeout_seconds", limits.policy_setup_s);
    reader.read("datastore_timeout_seconds", limits.datastore_s);
    reader.read("datastore_connect_timeout_seconds", limits.connect_s);
    if (wrong)
        return fail(std::move(*wrong).within("failed to load netconf"));
    take_limits(limits, conf);
    return conf;
}

}  // namespace tortie::calico_cni
