// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cni/json.h"
#include "tuning/settings.h"

namespace tortie::tuning {

// The configuration after all overrides, as written. Later sources win: the top level, MAC of
// CNI_ARGS, runtimeConfig.mac, args.cni (whose sysctls are merged key by key).
struct Config {
    std::string data_dir;
    std::map<std::string, std::string> sysctls;  // key as written: value
    std::string mac;                             // "": leave alone
    bool promisc = false;                        // false: leave alone
    std::int64_t mtu = 0;                        // 0: leave alone
    std::optional<bool> allmulti;
    std::optional<std::int64_t> tx_queue_len;
};

// Errors: kInvalidInput "failed to load netconf: <json>", or "ARGS: ..." for bad CNI_ARGS.
Result<Config> parse_config(const cni::Json &json, std::string_view cni_args);

// dataDir alone, whatever else is wrong: DEL has to find the backup.
std::string data_dir_of(const cni::Json &json);

// What the configuration asks for, for an interface of that name.
// Errors: kInvalidInput `invalid args <mac> for MAC addr: ...`, `invalid net sysctl key: ...`, and
// "invalid argument", as the kernel would say, for numbers that it cannot even be given.
Result<Settings> wanted_settings(const Config &config, std::string_view ifname);

}  // namespace tortie::tuning
