// SPDX-License-Identifier: Apache-2.0
//
// What the installer's environment asks for, checked as a whole before anything is touched.
// Names, defaults and what set-but-empty means are upstream's: spec calico-cni.md 5.1.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/kubeconfig.h"

namespace tortie::installer {

// A placeholder of the configuration's template and what stands there instead.
struct Placeholder {
    std::string_view name;  // "__LOG_LEVEL__"
    std::string value;
};

struct Settings {
    std::string net_dir;         // CNI_NET_DIR: a path of the host, only ever written into files
    std::string conf_name;       // one path component
    std::string old_conf_name;   // one path component; conf_name: nothing to remove
    mode_t conf_mode = 0600;     // TEST_FILE_PERMISSION
    std::string tls_assets_dir;  // in the container
    std::vector<std::string> skip_binaries;
    bool update_binaries = true;
    std::string network_config;       // template; empty: the built-in one
    std::string network_config_file;  // beats network_config; empty: none
    bool sleep = true;

    // Those that come from the environment alone, in the order of substitution.
    std::vector<Placeholder> before_token;  // up to __KUBERNETES_SERVICE_PORT__
    std::string api_group;
    std::vector<Placeholder> after_etcd_files;

    std::string service_host;
    std::string service_port;
    std::string service_protocol;
    bool skip_tls_verify = false;
    std::string kubeconfig;       // for the TokenRequest; empty: that of the pod
    std::string service_account;  // whose token goes into the kubeconfig
    std::chrono::milliseconds api_timeout{30'000};

    // How long to wait from one token to the next; nullopt: a quarter of its life.
    std::optional<std::chrono::milliseconds> token_refresh_interval;
};

// Errors: kInvalidInput naming the variable.
Result<Settings> read_settings(const kube::GetEnv &get_env);

// "1h30m", "250ms": what Go's time.ParseDuration takes, without fractions and signs, at most a
// year. nullopt: something else.
std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text);

// True for what may name a file inside one directory: not empty, no '/', not "." or "..", no
// control characters, at most 255 bytes.
bool is_file_name(std::string_view text);

}  // namespace tortie::installer
