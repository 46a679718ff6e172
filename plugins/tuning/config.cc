// SPDX-License-Identifier: Apache-2.0
#include "tuning/config.h"

#include <utility>

#include "cni/args.h"
#include "cni/common_keys.h"
#include "tuning/sysctl_key.h"

namespace tortie::tuning {
namespace {

using cni::Json;

constexpr std::string_view kDefaultDataDir = "/run/cni/tuning";

Result<> read_sysctls(const Json &json, Config &config)
{
    TORTIE_TRY(auto sysctls, json.string_map("sysctl"));
    for (auto &[key, value] : sysctls)
        config.sysctls.insert_or_assign(std::move(key), std::move(value));
    return {};
}

Result<> read_top_level(const Json &json, Config &config)
{
    TORTIE_DO(cni::check_common_keys(json));
    TORTIE_TRY(config.data_dir, json.string("dataDir"));
    if (config.data_dir.empty())
        config.data_dir = kDefaultDataDir;
    TORTIE_DO(read_sysctls(json, config));
    TORTIE_TRY(config.mac, json.string("mac"));
    TORTIE_TRY(config.promisc, json.boolean("promisc", false));
    TORTIE_TRY(config.mtu, json.integer("mtu", 0));
    TORTIE_TRY(config.allmulti, json.optional_boolean("allmulti"));
    TORTIE_TRY(config.tx_queue_len, json.optional_integer("txQLen"));
    return {};
}

// A key that is present replaces the value, also by one that means "leave alone".
Result<> read_args(const Json &json, Config &config)
{
    TORTIE_TRY(const Json args, json.object("args"));
    TORTIE_TRY(const Json cni, args.object("cni"));
    TORTIE_DO(read_sysctls(cni, config));
    TORTIE_TRY(auto mac, cni.optional_string("mac"));
    TORTIE_TRY(config.promisc, cni.boolean("promisc", config.promisc));
    TORTIE_TRY(config.mtu, cni.integer("mtu", config.mtu));
    TORTIE_TRY(const auto allmulti, cni.optional_boolean("allmulti"));
    TORTIE_TRY(const auto tx_queue_len, cni.optional_integer("txQLen"));
    if (mac)
        config.mac = *std::move(mac);
    if (allmulti)
        config.allmulti = allmulti;
    if (tx_queue_len)
        config.tx_queue_len = tx_queue_len;
    return {};
}

Result<std::string> runtime_mac(const Json &json)
{
    TORTIE_TRY(const Json runtime, json.object("runtimeConfig"));
    return runtime.string("mac");
}

Result<std::uint32_t> kernel_number(std::int64_t value)
{
    if (!std::in_range<std::uint32_t>(value))
        return fail(ErrorKind::kInvalidInput, "invalid argument");
    return static_cast<std::uint32_t>(value);
}

Error bad_json(Error error)
{
    return std::move(error).within("failed to load netconf");
}

}  // namespace

Result<Config> parse_config(const Json &json, std::string_view cni_args)
{
    Config config;
    if (auto read = read_top_level(json, config); !read)
        return fail(bad_json(std::move(read).error()));
    auto runtime = runtime_mac(json);
    if (!runtime)
        return fail(bad_json(std::move(runtime).error()));

    if (!cni_args.empty()) {
        TORTIE_TRY(const auto args, cni::parse_args(cni_args, {"MAC"}));
        if (const auto mac = args.find("MAC"); mac != args.end() && !mac->second.empty())
            config.mac = mac->second;
    }
    if (!runtime->empty())
        config.mac = *std::move(runtime);
    if (auto read = read_args(json, config); !read)
        return fail(bad_json(std::move(read).error()));
    return config;
}

std::string data_dir_of(const Json &json)
{
    auto dir = json.string("dataDir");
    return dir && !dir->empty() ? *std::move(dir) : std::string(kDefaultDataDir);
}

Result<Settings> wanted_settings(const Config &config, std::string_view ifname)
{
    Settings wanted;
    for (const auto &[key, value] : config.sysctls) {
        TORTIE_TRY(std::string name, sysctl_name(key, ifname));
        wanted.sysctls.insert_or_assign(std::move(name), value);
    }
    if (!config.mac.empty()) {
        wanted.mac = parse_mac(config.mac);
        if (!wanted.mac)
            return fail(ErrorKind::kInvalidInput, "invalid args " + config.mac +
                                                      " for MAC addr: address " + config.mac +
                                                      ": invalid MAC address");
    }
    if (config.promisc)
        wanted.promisc = true;
    if (config.mtu != 0) {
        TORTIE_TRY(wanted.mtu, kernel_number(config.mtu));
    }
    wanted.allmulti = config.allmulti;
    if (config.tx_queue_len) {
        TORTIE_TRY(wanted.tx_queue_len, kernel_number(*config.tx_queue_len));
    }
    return wanted;
}

}  // namespace tortie::tuning
