// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_gateway.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/strings.h"
#include "http/resolver.h"
#include "http/url.h"
#include "store/codec_gateway.h"

namespace tortie::store {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxPemBytes = 1UL << 20;

// Upstream's client tries all endpoints at the same time; one that answers does so within this.
constexpr milliseconds kFirstConnect{1'000};

// google.golang.org/grpc/codes.
constexpr int kPermissionDenied = 7;
constexpr int kResourceExhausted = 8;
constexpr int kUnavailable = 14;
constexpr int kUnauthenticated = 16;

Result<std::string> pem(const std::string &file)
{
    if (file.empty())
        return std::string();
    return read_file(file, kMaxPemBytes);
}

Result<http::Tls> tls_of(const EtcdSettings &settings)
{
    http::Tls tls;
    TORTIE_TRY(tls.ca_pem, pem(settings.ca_file));
    TORTIE_TRY(tls.certificate_pem, pem(settings.cert_file));
    TORTIE_TRY(tls.key_pem, pem(settings.key_file));
    return tls;
}

Result<http::Url> endpoint_url(std::string_view text)
{
    // Upstream hangs here for ever.
    if (text.find("://") == std::string_view::npos)
        return fail(ErrorKind::kInvalidInput,
                    "etcd endpoint " + go_quoted(text) +
                        " has no scheme: it must begin with http:// or https://");
    TORTIE_TRY(http::Url url, http::parse_url(text));
    if (url.scheme != "http" && url.scheme != "https")
        return fail(ErrorKind::kInvalidInput,
                    "etcd endpoint " + url.address() + " must begin with http:// or https://");
    return url;
}

bool says(const GatewayError &error, std::string_view words)
{
    return error.message.find(words) != std::string::npos;
}

// What etcd refuses before it has begun, so that a write did not happen.
bool nothing_happened(const GatewayError &error)
{
    return error.code == kResourceExhausted || says(error, "no leader");
}

Error refusal(const std::string &endpoint, const http::Response &response, bool read_only)
{
    const std::string where = "etcd " + endpoint + ": ";
    if (response.status == 404)
        return Error(ErrorKind::kSystem,
                     where +
                         "does not serve /v3/kv: it is older than 3.4, or its JSON gateway is "
                         "switched off (--enable-grpc-gateway=false)");
    const GatewayError error = gateway_error(response.body);
    const std::string status = "HTTP " + std::to_string(response.status);
    const std::string text = error.message.empty() ? status : error.message;
    const std::string no_name = ": etcd's JSON gateway takes no user from a client certificate: ";
    if (says(error, "user name is empty"))
        return Error(ErrorKind::kSystem,
                     where + text + no_name + "give ETCD_USERNAME and ETCD_PASSWORD");
    if (says(error, "CommonName of client"))
        return Error(ErrorKind::kSystem, where + text + no_name + "give one without a common name");
    if (error.code == kPermissionDenied || error.code == kUnauthenticated ||
        response.status == 401 || response.status == 403)
        return Error(ErrorKind::kSystem, where + "connection is unauthorized: " + text);
    const bool passing = error.code == kUnavailable || response.status >= 500;
    if (nothing_happened(error) || (passing && read_only))
        return Error(ErrorKind::kTryAgain, where + text);
    if (passing)
        return Error(ErrorKind::kUnknownOutcome, where + text);
    return Error(ErrorKind::kSystem, where + text);
}

http::Request request_of(const std::string &target, const std::string &body, bool read_only)
{
    http::Request request;
    request.method = http::Method::kPost;
    request.target = target;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = body;
    request.repeatable = read_only;
    return request;
}

}  // namespace

Result<EtcdGateway> EtcdGateway::make(const EtcdSettings &settings)
{
    EtcdGateway gateway;
    TORTIE_TRY(gateway.tls_, tls_of(settings));
    gateway.connect_limit_ = settings.connect_limit;
    gateway.discovery_domain_ = settings.discovery_domain;
    for (const std::string_view piece : split(settings.endpoints, ',')) {
        const std::string_view text = trim(piece);
        if (text.empty())
            continue;
        TORTIE_TRY(const http::Url url, endpoint_url(text));
        http::Server server;
        server.host = url.host;
        server.port = url.port;
        if (url.scheme == "https")
            server.tls = gateway.tls_;
        gateway.endpoints_.push_back({url.scheme + "://" + url.address(), std::move(server)});
    }
    if (gateway.endpoints_.empty() && settings.discovery_domain.empty())
        return fail(ErrorKind::kInvalidInput, "no etcd endpoints specified");
    if (!settings.username.empty() && !settings.password.empty()) {
        gateway.username_ = settings.username;
        gateway.password_ = settings.password;
    }
    return gateway;
}

// The endpoints that DNS names, once. As upstream: both services, and one of them is enough.
Result<> EtcdGateway::discover(Deadline deadline)
{
    if (!endpoints_.empty())
        return {};
    std::optional<Error> error;
    for (const auto &[service, is_tls] :
         {std::pair{"_etcd-client-ssl._tcp.", true}, std::pair{"_etcd-client._tcp.", false}}) {
        const auto hosts =
            http::resolve_service(service + discovery_domain_, deadline.at_most(connect_limit_));
        if (!hosts) {
            error = hosts.error();
            continue;
        }
        for (const http::ServiceHost &found : *hosts) {
            http::Server server;
            server.host = found.host;
            server.port = found.port;
            if (is_tls)
                server.tls = tls_;
            endpoints_.push_back(
                {(is_tls ? "https://" : "http://") + http::join_host_port(found.host, found.port),
                 std::move(server)});
        }
    }
    if (endpoints_.empty())
        return fail(std::move(*error).within("look for etcd"));
    return {};
}

// Every endpoint once, beginning with the one that worked last.
Result<http::Response> EtcdGateway::send_around(const http::Request &request, http::Limits limits,
                                                Deadline deadline)
{
    Result<http::Response> answer = fail(ErrorKind::kTryAgain, "no etcd endpoint was tried");
    for (std::size_t tried = 0; tried < endpoints_.size(); ++tried) {
        if (client_.empty())
            client_.emplace_back(endpoints_[current_].server, limits);
        answer = client_.front().send(request, deadline);
        if (answer || answer.error().kind() != ErrorKind::kTryAgain || deadline.passed())
            return answer;
        client_.clear();
        current_ = (current_ + 1) % endpoints_.size();
    }
    return answer;
}

Result<http::Response> EtcdGateway::send_anywhere(const http::Request &request, Deadline deadline)
{
    TORTIE_DO(discover(deadline));
    http::Limits limits;
    if (endpoints_.size() > 1) {
        limits.connect = std::min(kFirstConnect, connect_limit_);
        Result<http::Response> answer = send_around(request, limits, deadline);
        if (answer || answer.error().kind() != ErrorKind::kTryAgain || deadline.passed())
            return answer;
    }
    limits.connect = connect_limit_;
    return send_around(request, limits, deadline);
}

// Without effect where etcd wants no user (upstream's client does the same).
Result<> EtcdGateway::log_in(Deadline deadline)
{
    if (logged_in_ || username_.empty())
        return {};
    const http::Request request =
        request_of("/v3/auth/authenticate", login_request(username_, password_), true);
    TORTIE_TRY(const http::Response response, send_anywhere(request, deadline));
    logged_in_ = true;
    if (response.status == 200) {
        TORTIE_TRY(token_, login_answer(response.body));
        return {};
    }
    if (says(gateway_error(response.body), "authentication is not enabled"))
        return {};
    logged_in_ = false;
    return fail(refusal(endpoints_[current_].url, response, true).within("log in"));
}

Result<std::string> EtcdGateway::post(const std::string &target, const std::string &body,
                                      bool read_only, Deadline deadline)
{
    http::Request request = request_of(target, body, read_only);
    for (bool first = true;; first = false) {
        TORTIE_DO(log_in(deadline));
        if (!token_.empty())
            request.headers.push_back({"Authorization", token_});
        TORTIE_TRY(http::Response response, send_anywhere(request, deadline));
        if (response.status == 200)
            return std::move(response.body);
        // A token lives for minutes only; the request with an old one did not happen.
        if (first && !token_.empty() && response.status == 401) {
            logged_in_ = false;
            request.headers.pop_back();
            continue;
        }
        return fail(refusal(endpoints_[current_].url, response, read_only));
    }
}

}  // namespace tortie::store
