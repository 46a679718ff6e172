// SPDX-License-Identifier: Apache-2.0
#include "install/conflist.h"

#include "base/log.h"
#include "cni/json.h"
#include "install/folder.h"

namespace tortie::installer {
namespace {

// Of template and result. Container runtimes read network configurations on every call.
constexpr std::size_t kMostBytes = 1024UL * 1024;

constexpr std::string_view kBeforeVersion =
    "{\n"
    "  \"name\": \"k8s-pod-network\",\n"
    "  \"cniVersion\": \"";
constexpr std::string_view kAfterVersion =
    "\",\n"
    "  \"plugins\": [\n"
    "    {\n"
    "      \"type\": \"calico\",\n"
    "      \"log_level\": \"__LOG_LEVEL__\",\n"
    "      \"log_file_path\": \"__LOG_FILE_PATH__\",\n"
    "      \"datastore_type\": \"__DATASTORE_TYPE__\",\n"
    "      \"nodename\": \"__KUBERNETES_NODE_NAME__\",\n"
    "      \"mtu\": __CNI_MTU__,\n"
    "      \"ipam\": {\"type\": \"calico-ipam\"},\n"
    "      \"policy\": {\"type\": \"k8s\"},\n"
    "      \"kubernetes\": {\"kubeconfig\": \"__KUBECONFIG_FILEPATH__\"},\n"
    "      \"require_mtu_file\": __REQUIRE_MTU_FILE__,\n"
    "      \"calico_api_group\": \"__CALICO_API_GROUP__\"\n"
    "    },\n"
    "    {\n"
    "      \"type\": \"portmap\",\n"
    "      \"snat\": true,\n"
    "      \"capabilities\": {\"portMappings\": true}\n"
    "    }\n"
    "  ]\n"
    "}";

std::string built_in_template(EntryPoint entry_point)
{
    std::string text(kBeforeVersion);
    text += entry_point == EntryPoint::kInstall ? "0.3.1" : "1.0.0";
    text += kAfterVersion;
    return text;
}

std::size_t occurrences(std::string_view text, std::string_view wanted)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(wanted); at != std::string_view::npos;
         at = text.find(wanted, at + wanted.size()))
        ++count;
    return count;
}

// What is put in is not searched again for the same placeholder.
Result<> replace_all(std::string &text, std::string_view name, std::string_view value)
{
    const std::size_t count = occurrences(text, name);
    if (count == 0)
        return {};
    if (value.size() > kMostBytes || text.size() + count * value.size() > kMostBytes) {
        return fail(ErrorKind::kInvalidInput, "CNI config is longer than " +
                                                  std::to_string(kMostBytes) + " bytes with " +
                                                  std::string(name) + " replaced");
    }
    std::string result;
    result.reserve(text.size() + count * value.size());
    std::size_t from = 0;
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, from)) {
        result.append(text, from, at - from).append(value);
        from = at + name.size();
    }
    text = result.append(text, from);
    return {};
}

// Where and what kind, without the parser's "last read": that is a piece of the configuration.
std::string without_content(const std::string &error)
{
    if (error.find("number overflow") != std::string::npos)
        return "a number is out of range";
    if (!error.starts_with("parse error"))
        return error;
    return error.substr(0, error.find(": syntax error"));
}

}  // namespace

Result<std::string> read_template(const Settings &settings, EntryPoint entry_point)
{
    if (!settings.network_config_file.empty()) {
        log::info("Using CNI config template from CNI_NETWORK_CONFIG_FILE");
        return read_mounted(settings.network_config_file, kMostBytes);
    }
    if (settings.network_config.empty())
        return built_in_template(entry_point);
    log::info("Using CNI config template from CNI_NETWORK_CONFIG environment variable.");
    if (settings.network_config.size() > kMostBytes)
        return fail(ErrorKind::kInvalidInput,
                    "CNI_NETWORK_CONFIG is longer than " + std::to_string(kMostBytes) + " bytes");
    return settings.network_config;
}

Result<std::string> render_conflist(const Settings &settings, std::string text,
                                    const std::string &service_account_token, const EtcdFiles &etcd)
{
    std::vector<Placeholder> all = settings.before_token;
    all.push_back({"__SERVICEACCOUNT_TOKEN__", service_account_token});
    all.push_back({"__CALICO_API_GROUP__", settings.api_group});
    all.push_back({"__ETCD_CERT_FILE__", etcd.cert});
    all.push_back({"__ETCD_CA_CERT_FILE__", etcd.ca});
    all.push_back({"__ETCD_KEY_FILE__", etcd.key});
    all.insert(all.end(), settings.after_etcd_files.begin(), settings.after_etcd_files.end());
    for (const Placeholder &placeholder : all)
        TORTIE_DO(replace_all(text, placeholder.name, placeholder.value));
    if (auto parsed = cni::Json::parse_object(text); !parsed)
        return fail(ErrorKind::kInvalidInput,
                    "CNI config is not valid JSON: " + without_content(parsed.error().what()));
    return text;
}

std::vector<std::string> plugin_types(std::string_view conflist)
{
    std::vector<std::string> types;
    const auto config = cni::Json::parse_object(conflist);
    if (!config)
        return types;
    const auto plugins = config->elements("plugins");
    if (!plugins)
        return types;
    types.reserve(plugins->size());
    for (const cni::Json &plugin : *plugins) {
        auto type = plugin.string("type");
        if (type && !type->empty())
            types.push_back(*std::move(type));
    }
    return types;
}

}  // namespace tortie::installer
