// SPDX-License-Identifier: Apache-2.0
#include "install/settings.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "base/strings.h"

namespace tortie::installer {
namespace {

using std::chrono::milliseconds;

constexpr const char *kConfName = "10-calico.conflist";
constexpr milliseconds kYear{std::chrono::hours(24 * 365)};

class Environment {
public:
    explicit Environment(const kube::GetEnv &get_env) : get_env_(get_env) {}

    // What is set counts, also when it is empty.
    std::string text(const char *name, const char *otherwise) const
    {
        const char *value = get_env_(name);
        return value ? value : otherwise;
    }

    Result<bool> boolean(const char *name, bool otherwise) const;
    Result<std::string> file_name(const char *name, const char *otherwise) const;
    Result<mode_t> mode(const char *name, mode_t otherwise) const;
    Result<std::optional<milliseconds>> duration(const char *name) const;

private:
    const kube::GetEnv &get_env_;
};

tl::unexpected<Error> refuse(const char *name, const std::string &value, const char *wanted)
{
    return fail(ErrorKind::kInvalidInput, "environment variable " + std::string(name) + " is " +
                                              go_quoted(value) + ", not " + wanted);
}

// strconv.ParseBool
Result<bool> Environment::boolean(const char *name, bool otherwise) const
{
    constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "TRUE", "true", "True"};
    constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "FALSE", "false", "False"};
    const char *value = get_env_(name);
    if (!value)
        return otherwise;
    if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end())
        return true;
    if (std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end())
        return false;
    return refuse(name, value, "\"true\" or \"false\"");
}

Result<std::string> Environment::file_name(const char *name, const char *otherwise) const
{
    std::string value = text(name, otherwise);
    if (!is_file_name(value))
        return refuse(name, value, "the name of a file in the directory of CNI configurations");
    return value;
}

Result<mode_t> Environment::mode(const char *name, mode_t otherwise) const
{
    const char *value = get_env_(name);
    if (!value)
        return otherwise;
    const std::string_view digits(value);
    unsigned mode = 0;
    const char *end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, mode, 8);
    if (error != std::errc() || stop != end || mode > 0777)
        return refuse(name, value, "a file mode in octal, 0 to 0777");
    return static_cast<mode_t>(mode);
}

Result<std::optional<milliseconds>> Environment::duration(const char *name) const
{
    const char *value = get_env_(name);
    if (!value)
        return std::nullopt;
    const auto duration = parse_go_duration(value);
    if (!duration || *duration <= milliseconds(0))
        return refuse(name, value, "a duration such as \"30s\" or \"1h30m\"");
    return duration;
}

// Also what upstream's names.Hostname() does to it.
std::string machine_name()
{
    utsname machine{};
    if (::uname(&machine) < 0)
        return {};
    return ascii_lower(trim(machine.nodename));
}

void read_template(const Environment &env, Settings &settings)
{
    settings.network_config = env.text("CNI_NETWORK_CONFIG", "");
    settings.network_config_file = env.text("CNI_NETWORK_CONFIG_FILE", "");
    settings.api_group = env.text("CALICO_API_GROUP", "crd.projectcalico.org/v1");
    settings.before_token = {
        {"__LOG_LEVEL__", env.text("LOG_LEVEL", "info")},
        {"__LOG_FILE_PATH__", env.text("LOG_FILE_PATH", "/var/log/calico/cni/cni.log")},
        {"__LOG_FILE_MAX_SIZE__", env.text("LOG_FILE_MAX_SIZE", "100")},
        {"__LOG_FILE_MAX_AGE__", env.text("LOG_FILE_MAX_AGE", "30")},
        {"__LOG_FILE_MAX_COUNT__", env.text("LOG_FILE_MAX_COUNT", "10")},
        {"__DATASTORE_TYPE__", env.text("DATASTORE_TYPE", "kubernetes")},
        {"__KUBERNETES_NODE_NAME__", env.text("KUBERNETES_NODE_NAME", machine_name().c_str())},
        {"__KUBECONFIG_FILEPATH__", settings.net_dir + "/calico-kubeconfig"},
        {"__CNI_MTU__", env.text("CNI_MTU", "1500")},
        {"__KUBERNETES_SERVICE_HOST__", settings.service_host},
        {"__KUBERNETES_SERVICE_PORT__", settings.service_port},
    };
    settings.after_etcd_files = {
        {"__ETCD_ENDPOINTS__", env.text("ETCD_ENDPOINTS", "")},
        {"__ETCD_DISCOVERY_SRV__", env.text("ETCD_DISCOVERY_SRV", "")},
        {"__REQUIRE_MTU_FILE__", env.text("REQUIRE_MTU_FILE", "false")},
    };
}

// Of what goes into the kubeconfig as it is: nothing that could start another line or entry of it.
Result<> require_plain(const char *name, const std::string &value)
{
    const auto harmless = [](unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
    };
    if (value.size() > 255 || !std::all_of(value.begin(), value.end(), harmless))
        return refuse(name, value, "the name, address, port or scheme of an API server");
    return {};
}

Result<> read_api_server(const Environment &env, Settings &settings)
{
    settings.service_host = env.text("KUBERNETES_SERVICE_HOST", "");
    settings.service_port = env.text("KUBERNETES_SERVICE_PORT", "");
    settings.service_protocol = env.text("KUBERNETES_SERVICE_PROTOCOL", "");
    if (settings.service_protocol.empty())
        settings.service_protocol = "https";
    TORTIE_DO(require_plain("KUBERNETES_SERVICE_HOST", settings.service_host));
    TORTIE_DO(require_plain("KUBERNETES_SERVICE_PORT", settings.service_port));
    TORTIE_DO(require_plain("KUBERNETES_SERVICE_PROTOCOL", settings.service_protocol));
    settings.skip_tls_verify = env.text("SKIP_TLS_VERIFY", "") == "true";
    settings.kubeconfig = env.text("KUBECONFIG", "");
    settings.service_account = env.text("CALICO_CNI_SERVICE_ACCOUNT", "calico-cni-plugin");
    TORTIE_TRY(const auto timeout, env.duration("TORTIE_API_TIMEOUT"));
    settings.api_timeout = timeout.value_or(settings.api_timeout);
    TORTIE_TRY(settings.token_refresh_interval, env.duration("CNI_TOKEN_REFRESH_INTERVAL"));
    return {};
}

// The number at the front of `text`, which loses it; nullopt: none, or too big.
std::optional<std::int64_t> take_number(std::string_view &text)
{
    std::int64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0)
        return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return number;
}

std::optional<milliseconds> take_unit(std::string_view &text)
{
    struct Unit {
        std::string_view name;
        milliseconds length;
    };
    constexpr std::array<Unit, 4> kUnits = {{{"ms", milliseconds(1)},
                                             {"s", milliseconds(1000)},
                                             {"m", milliseconds(60'000)},
                                             {"h", milliseconds(3'600'000)}}};
    for (const Unit &unit : kUnits) {
        if (!text.starts_with(unit.name))
            continue;
        text.remove_prefix(unit.name.size());
        return unit.length;
    }
    return std::nullopt;
}

}  // namespace

std::optional<milliseconds> parse_go_duration(std::string_view text)
{
    milliseconds sum{0};
    if (text.empty())
        return std::nullopt;
    while (!text.empty()) {
        const auto number = take_number(text);
        const auto unit = take_unit(text);
        if (!number || !unit || *number > kYear / *unit)
            return std::nullopt;
        sum += *number * *unit;
        if (sum > kYear)
            return std::nullopt;
    }
    return sum;
}

bool is_file_name(std::string_view text)
{
    const auto bad = [](unsigned char c) { return c < ' ' || c == 0x7f || c == '/'; };
    return !text.empty() && text.size() <= 255 && text != "." && text != ".." &&
           std::none_of(text.begin(), text.end(), bad);
}

Result<Settings> read_settings(const kube::GetEnv &get_env)
{
    const Environment env(get_env);
    Settings settings;
    settings.net_dir = env.text("CNI_NET_DIR", "/etc/cni/net.d");
    TORTIE_TRY(settings.conf_name, env.file_name("CNI_CONF_NAME", kConfName));
    TORTIE_TRY(settings.old_conf_name, env.file_name("CNI_OLD_CONF_NAME", kConfName));
    TORTIE_TRY(settings.conf_mode, env.mode("TEST_FILE_PERMISSION", 0600));
    settings.tls_assets_dir = env.text("TLS_ASSETS_DIR", "/calico-secrets");
    const std::string skipped = env.text("SKIP_CNI_BINARIES", "");
    for (const std::string_view name : split(skipped, ','))
        settings.skip_binaries.emplace_back(name);
    TORTIE_TRY(settings.update_binaries, env.boolean("UPDATE_CNI_BINARIES", true));
    TORTIE_TRY(settings.sleep, env.boolean("SLEEP", true));
    TORTIE_DO(read_api_server(env, settings));
    read_template(env, settings);
    return settings;
}

}  // namespace tortie::installer
