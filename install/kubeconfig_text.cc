// SPDX-License-Identifier: Apache-2.0
#include "install/kubeconfig_text.h"

#include "base/base64.h"

namespace tortie::installer {
namespace {

std::string server_of(const Settings &settings)
{
    const std::string &host = settings.service_host;
    const bool v6 = host.find(':') != std::string::npos;
    std::string server = settings.service_protocol + "://";
    server += v6 ? '[' + host + ']' : host;
    return server + ':' + settings.service_port;
}

}  // namespace

std::string kubeconfig_text(const Settings &settings, std::string_view ca_pem,
                            std::string_view token)
{
    std::string text =
        "# Kubeconfig file for Calico CNI plugin.\n"
        "apiVersion: v1\n"
        "kind: Config\n"
        "clusters:\n"
        "- name: local\n"
        "  cluster:\n"
        "    server: ";
    text += server_of(settings);
    text += "\n    ";
    text += settings.skip_tls_verify ? "insecure-skip-tls-verify: true"
                                     : "certificate-authority-data: " + base64_encode(ca_pem);
    text +=
        "\n"
        "users:\n"
        "- name: calico\n"
        "  user:\n"
        "    token: ";
    text += token;
    text +=
        "\n"
        "contexts:\n"
        "- name: calico-context\n"
        "  context:\n"
        "    cluster: local\n"
        "    user: calico\n"
        "current-context: calico-context\n";
    return text;
}

}  // namespace tortie::installer
