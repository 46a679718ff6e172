// SPDX-License-Identifier: Apache-2.0
#include "install/service_account.h"

#include <utility>

#include "base/base64.h"
#include "base/log.h"
#include "base/strings.h"
#include "install/folder.h"

namespace tortie::installer {
namespace {

constexpr std::size_t kMostTokenBytes = 64UL * 1024;
constexpr std::size_t kMostCaBytes = 1024UL * 1024;

bool holds_certificate(std::string_view pem)
{
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    const std::size_t begin = pem.find(kBegin);
    if (begin == std::string_view::npos)
        return false;
    const std::size_t from = begin + kBegin.size();
    const std::size_t end = pem.find(kEnd, from);
    if (end == std::string_view::npos)
        return false;
    const auto der = base64_decode(trim(pem.substr(from, end - from)));
    return der && !der->empty();
}

}  // namespace

Result<std::optional<ServiceAccount>> mounted_service_account(const Settings &settings)
{
    const std::string folder(kServiceAccountDir);
    auto token = read_mounted(folder + "/token", kMostTokenBytes);
    if (!token && token.error().kind() == ErrorKind::kNotFound)
        return std::nullopt;
    if (!token)
        return fail(std::move(token).error());
    log::info("Running as a Kubernetes pod");
    if (settings.service_host.empty() || settings.service_port.empty()) {
        return fail(ErrorKind::kInvalidInput,
                    "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
                    "KUBERNETES_SERVICE_PORT must be defined");
    }
    ServiceAccount account;
    account.token = *std::move(token);
    auto ca = read_mounted(folder + "/ca.crt", kMostCaBytes);
    if (!ca)
        log::error("Expected to load root CA config", {{"error", ca.error().what()}});
    else if (!holds_certificate(*ca))
        log::error("Expected to load root CA config from " + folder +
                   "/ca.crt, but it holds no certificate");
    else
        account.ca_pem = *std::move(ca);
    TORTIE_TRY(const std::string ns, read_mounted(folder + "/namespace", kMostTokenBytes));
    account.ns = trim(ns);
    return account;
}

}  // namespace tortie::installer
