// SPDX-License-Identifier: Apache-2.0
//
// A kubeconfig file, which several programs of the node write in several styles: YAML, what it
// says, and the addresses and proxies in it.
#include <cstdint>
#include <vector>

#include "fuzz/plugin_input.h"
#include "http/proxy.h"
#include "http/url.h"
#include "kube/json_kubeconfig.h"
#include "kube/json_token.h"
#include "kube/yaml.h"

namespace tortie::fuzz {
namespace {

void check_server(const std::string &text)
{
    const auto url = http::parse_url(text);
    if (!url)
        return;
    require(url->port != 0, "a server has a port");
    const auto again = http::parse_url(url->scheme + "://" + url->address() + url->path);
    require(again && again->host == url->host && again->port == url->port, "an address leads back");
}

void run(std::string_view text)
{
    const auto documents = kube::yaml_to_json(text);
    if (documents) {
        // JSON is YAML, and says the same.
        for (const std::string &json : *documents) {
            const auto again = kube::yaml_to_json(json);
            require(again && *again == std::vector{json}, "JSON passes through");
        }
    }
    const auto config = kube::parse_kubeconfig(text);
    if (!config)
        return;
    for (const auto &[name, cluster] : config->clusters) {
        check_server(cluster.server);
        (void)http::parse_proxy(cluster.proxy_url).has_value();
    }
    for (const auto &[name, user] : config->users)
        (void)kube::token_expiry_unix_s(user.token).has_value();
}

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    tortie::fuzz::run(tortie::fuzz::as_text(data, size));
    return 0;
}
