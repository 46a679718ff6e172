// SPDX-License-Identifier: Apache-2.0
#include "install/cni_token.h"

#include <algorithm>
#include <utility>

#include "base/deadline.h"
#include "base/log.h"
#include "base/pause.h"
#include "base/strings.h"
#include "cni/json.h"
#include "http/url.h"
#include "kube/client.h"

namespace tortie::installer {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kOneRequest{15'000};
constexpr milliseconds kFirstPause{200};
constexpr milliseconds kLongestPause{3'000};
constexpr std::int64_t kLifeSeconds = 86'400;
constexpr std::int64_t kLongestLifeSeconds = 10LL * 365 * 86'400;
constexpr std::size_t kMostTokenBytes = 64UL * 1024;

// What a bearer token is made of (RFC 6750 section 2.1): nothing that means something in YAML or
// in a header.
bool is_bearer_token(std::string_view text)
{
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("-._~+/=").find(c) != std::string_view::npos;
    };
    return !text.empty() && text.size() <= kMostTokenBytes &&
           std::all_of(text.begin(), text.end(), allowed);
}

std::string service_account_path(const Settings &settings, const ServiceAccount &account)
{
    return kube::namespace_path(account.ns) + "/serviceaccounts/" +
           http::percent_encoded(settings.service_account) + "/token";
}

kube::Call token_request(const Settings &settings, const ServiceAccount &account)
{
    cni::JsonWriter spec;
    spec.set("audiences", std::vector<std::string>()).set("expirationSeconds", kLifeSeconds);
    cni::JsonWriter body;
    body.set("kind", "TokenRequest").set("apiVersion", "authentication.k8s.io/v1");
    body.set("spec", spec);
    return {.method = http::Method::kPost,
            .path = service_account_path(settings, account),
            .body = body.text(-1)};
}

Result<CniToken> parse_answer(std::string_view body)
{
    const auto refuse = [] {
        return fail(ErrorKind::kSystem, "the API server's answer is no TokenRequest");
    };
    const auto answer = cni::Json::parse_object(body);
    if (!answer)
        return refuse();
    const auto token = answer->at("status").string("token");
    const auto life = answer->at("spec").integer("expirationSeconds", 0);
    if (!token || !is_bearer_token(*token) || !life)
        return refuse();
    const std::int64_t seconds = std::clamp<std::int64_t>(*life, 0, kLongestLifeSeconds);
    return CniToken{.text = *token, .life = std::chrono::seconds(seconds)};
}

// A second token does no harm, so a lost answer is asked for again.
bool may_pass(const Error &error)
{
    return error.kind() == ErrorKind::kTryAgain || error.kind() == ErrorKind::kUnknownOutcome;
}

Result<std::string> ask(kube::Client &client, const kube::Call &call, Deadline deadline)
{
    milliseconds pause = kFirstPause;
    for (;;) {
        auto answer = client.send(call, deadline.at_most(kOneRequest));
        if (answer || !may_pass(answer.error()) || deadline.left() <= pause)
            return answer;
        log::warn("asking the API server for a token again", {{"error", answer.error().what()}});
        pause_for(pause);
        pause = std::min(pause * 2, kLongestPause);
    }
}

// True when it is certain: the server has service accounts, and no tokens of theirs to request.
bool knows_no_token_requests(kube::Client &client, Deadline deadline)
{
    const auto body = ask(client, {.path = "/api/v1"}, deadline);
    const auto list = body ? cni::Json::parse_object(*body) : Result<cni::Json>(cni::Json());
    const auto resources = list ? list->elements("resources") : Result<std::vector<cni::Json>>();
    if (!resources)
        return false;
    const auto has = [&](std::string_view wanted) {
        return std::any_of(resources->begin(), resources->end(), [&](const cni::Json &each) {
            const auto name = each.string("name");
            return name && *name == wanted;
        });
    };
    return has("serviceaccounts") && !has("serviceaccounts/token");
}

Result<CniToken> mounted_token(const ServiceAccount &account)
{
    const std::string_view token = trim(account.token);
    if (!is_bearer_token(token))
        return fail(ErrorKind::kInvalidInput,
                    std::string(kServiceAccountDir) + "/token holds no bearer token");
    log::warn("the API server has no TokenRequest: the plugins get the token of this pod");
    return CniToken{.text = std::string(token)};
}

std::string advice(const Error &error, const Settings &settings, const ServiceAccount &account)
{
    const std::string who = account.ns + '/' + settings.service_account;
    if (error.kind() == ErrorKind::kNotFound)
        return " (create the service account " + who +
               ", or name another one in CALICO_CNI_SERVICE_ACCOUNT)";
    if (error.kind() == ErrorKind::kSystem)
        return " (this pod's service account needs the right to create serviceaccounts/token of " +
               who + ")";
    return " (is the API server at KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT reachable "
           "from this node?)";
}

}  // namespace

Result<CniToken> request_cni_token(const Settings &settings, const ServiceAccount &account,
                                   const kube::GetEnv &get_env)
{
    const Deadline deadline = Deadline::in(settings.api_timeout);
    kube::Client client({.kubeconfig = settings.kubeconfig,
                         .in_cluster = settings.kubeconfig.empty(),
                         .service_account = kServiceAccountDir},
                        get_env);
    auto body = ask(client, token_request(settings, account), deadline);
    if (body) {
        auto token = parse_answer(*body);
        if (!token)
            return fail(
                std::move(token).error().within("Unable to create token for CNI kubeconfig"));
        return token;
    }
    const ErrorKind kind = body.error().kind();
    if ((kind == ErrorKind::kNotFound || kind == ErrorKind::kUnsupported) &&
        knows_no_token_requests(client, deadline))
        return mounted_token(account);
    const std::string cure = advice(body.error(), settings, account);
    return fail(kind, "Unable to create token for CNI kubeconfig: " + body.error().what() + cure);
}

}  // namespace tortie::installer
