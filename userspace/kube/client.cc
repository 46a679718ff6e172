// SPDX-License-Identifier: Apache-2.0
#include "kube/client.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <random>
#include <utility>

#include "base/pause.h"
#include "base/strings.h"
#include "http/url.h"
#include "kube/api_error.h"
#include "kube/json_objects.h"
#include "kube/json_token.h"

namespace tortie::kube {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kMostAttempts = 5;
constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{2'000};
constexpr milliseconds kLongestRetryAfter{60'000};

bool writes(const Call &call)
{
    return call.method != http::Method::kGet;
}

bool is_worth_repeating(const http::Response &answer, const Call &call)
{
    return answer.status == 429 || (answer.status >= 500 && !writes(call));
}

// Of seconds only; the other form, a date, is answered with a pause of our own.
std::optional<milliseconds> retry_after(const http::Response &answer)
{
    const auto seconds = parse_number<std::uint32_t>(answer.retry_after);
    if (!seconds)
        return std::nullopt;
    return std::min(milliseconds(std::chrono::seconds(*seconds)), kLongestRetryAfter);
}

// Half of it fixed, half of it by chance, so that the nodes of a cluster do not come back at once.
milliseconds growing_pause(unsigned attempt)
{
    static std::minstd_rand random{std::random_device{}()};
    const auto whole = std::min(kFirstPause * (1U << attempt), kLongestPause);
    std::uniform_int_distribution<milliseconds::rep> half(0, whole.count() / 2);
    return whole / 2 + milliseconds(half(random));
}

void pause(milliseconds time)
{
    const Deadline over = Deadline::in(time);
    while (!over.passed())
        pause_for(over.left());
}

std::string utc(std::int64_t unix_s)
{
    const auto time = static_cast<std::time_t>(unix_s);
    std::tm parts{};
    std::array<char, 32> text{};
    ::gmtime_r(&time, &parts);
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// Whose credentials a server has refused, for the people who are to replace them. No secret.
std::string whose(const AccessSettings &settings, std::string_view authorization)
{
    constexpr std::string_view kBearer = "Bearer ";
    if (settings.kubeconfig.empty())
        return "";
    std::string text = " (credentials of " + settings.kubeconfig;
    if (authorization.starts_with(kBearer)) {
        const auto expiry = token_expiry_unix_s(authorization.substr(kBearer.size()));
        if (expiry && *expiry <= std::time(nullptr))
            text += ": the token expired at " + utc(*expiry);
    }
    return text + ')';
}

// calico-node and the installer replace a kubeconfig in place: it may be empty, or half of itself,
// for a moment.
constexpr int kMostLooks = 4;
constexpr milliseconds kBetweenLooks{30};

Result<Access> load_complete(const AccessSettings &settings, const GetEnv &get_env)
{
    for (int look = 1;; ++look) {
        auto access = load_access(settings, get_env);
        const bool may_be_half = !access && access.error().kind() == ErrorKind::kInvalidInput &&
                                 !settings.kubeconfig.empty();
        if (!may_be_half || look == kMostLooks)
            return access;
        pause_for(kBetweenLooks);
    }
}

}  // namespace

class Client::Impl {
public:
    Impl(AccessSettings settings, GetEnv get_env)
        : settings_(std::move(settings)), get_env_(std::move(get_env))
    {
    }

    std::vector<Result<std::string>> exchange(std::span<const Call> calls, Deadline deadline);
    Result<> load();
    const Access &access() const { return *access_; }

private:
    using Answers = std::vector<Result<http::Response>>;

    http::Request request_of(const Call &call) const;
    Error refusal(const http::Response &answer, bool writes) const;
    Answers ask(std::span<const Call> calls, Deadline deadline);
    void repeat(std::span<const Call> calls, const std::vector<std::size_t> &which,
                Answers &answers, Deadline deadline);
    void repeat_unauthorized(std::span<const Call> calls, Answers &answers, Deadline deadline);
    void repeat_overloaded(std::span<const Call> calls, Answers &answers, Deadline deadline);

    AccessSettings settings_;
    GetEnv get_env_;
    std::optional<Access> access_;
    std::optional<http::Client> http_;
};

Result<> Client::Impl::load()
{
    if (access_)
        return {};
    TORTIE_TRY(access_, load_complete(settings_, get_env_));
    http_.emplace(access_->server, http::Limits{.connect = settings_.connect_limit});
    return {};
}

http::Request Client::Impl::request_of(const Call &call) const
{
    http::Request request{.method = call.method, .target = access_->base_path + call.path};
    request.headers.push_back({"User-Agent", "tortie"});
    request.headers.push_back({"Accept", "application/json"});
    if (!access_->authorization.empty())
        request.headers.push_back({"Authorization", access_->authorization});
    if (!call.body.empty()) {
        request.headers.push_back(
            {"Content-Type", call.content_type.empty() ? "application/json" : call.content_type});
        request.body = call.body;
    }
    return request;
}

Error Client::Impl::refusal(const http::Response &answer, bool writes) const
{
    Error error = error_of(answer, writes);
    if (answer.status != 401)
        return error;
    return {error.kind(), error.what() + whose(settings_, access_->authorization)};
}

Client::Impl::Answers Client::Impl::ask(std::span<const Call> calls, Deadline deadline)
{
    std::vector<http::Request> requests;
    requests.reserve(calls.size());
    for (const Call &call : calls)
        requests.push_back(request_of(call));
    return http_->exchange(requests, deadline);
}

void Client::Impl::repeat(std::span<const Call> calls, const std::vector<std::size_t> &which,
                          Answers &answers, Deadline deadline)
{
    std::vector<Call> again;
    again.reserve(which.size());
    for (const std::size_t i : which)
        again.push_back(calls[i]);
    Answers fresh = ask(again, deadline);
    for (std::size_t n = 0; n < which.size(); ++n)
        answers[which[n]] = std::move(fresh[n]);
}

void Client::Impl::repeat_unauthorized(std::span<const Call> calls, Answers &answers,
                                       Deadline deadline)
{
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i] && answers[i]->status == 401)
            which.push_back(i);
    }
    if (which.empty())
        return;
    auto reloaded = load_complete(settings_, get_env_);
    if (!reloaded)
        return;  // the 401 says more
    access_ = *std::move(reloaded);
    http_.emplace(access_->server, http::Limits{.connect = settings_.connect_limit});
    repeat(calls, which, answers, deadline);
}

void Client::Impl::repeat_overloaded(std::span<const Call> calls, Answers &answers,
                                     Deadline deadline)
{
    for (unsigned attempt = 0; attempt + 1 < kMostAttempts; ++attempt) {
        std::vector<std::size_t> which;
        milliseconds wait = growing_pause(attempt);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (!answers[i] || !is_worth_repeating(*answers[i], calls[i]))
                continue;
            which.push_back(i);
            wait = std::max(wait, retry_after(*answers[i]).value_or(wait));
        }
        if (which.empty() || wait >= deadline.left())
            return;
        pause(wait);
        repeat(calls, which, answers, deadline);
    }
}

std::vector<Result<std::string>> Client::Impl::exchange(std::span<const Call> calls,
                                                        Deadline deadline)
{
    std::vector<Result<std::string>> results;
    results.reserve(calls.size());
    if (auto loaded = load(); !loaded) {
        // A file that is not there yet: the installer and calico-node put it there.
        const bool may_come = loaded.error().kind() == ErrorKind::kNotFound;
        const Error error(may_come ? ErrorKind::kTryAgain : loaded.error().kind(),
                          loaded.error().what());
        results.assign(calls.size(), fail(error));
        return results;
    }
    Answers answers = ask(calls, deadline);
    repeat_unauthorized(calls, answers, deadline);
    repeat_overloaded(calls, answers, deadline);
    for (std::size_t i = 0; i < calls.size(); ++i) {
        Result<http::Response> &answer = answers[i];
        if (!answer)
            results.push_back(fail(std::move(answer).error()));
        else if (answer->status / 100 != 2)
            results.push_back(fail(refusal(*answer, writes(calls[i]))));
        else
            results.push_back(std::move(answer->body));
    }
    return results;
}

Client::Client(AccessSettings settings, GetEnv get_env)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(get_env)))
{
}

Client::~Client() = default;
Client::Client(Client &&) noexcept = default;
Client &Client::operator=(Client &&) noexcept = default;

std::vector<Result<std::string>> Client::exchange(std::span<const Call> calls, Deadline deadline)
{
    return impl_->exchange(calls, deadline);
}

Result<std::string> Client::send(const Call &call, Deadline deadline)
{
    return std::move(impl_->exchange({&call, 1}, deadline).front());
}

Result<std::string> Client::cluster_id()
{
    TORTIE_DO(impl_->load());
    const Access &access = impl_->access();
    const http::Server &server = access.server;
    return http::join_host_port(server.host, server.port) + access.base_path + '\n' +
           (server.tls ? server.tls->ca_pem : std::string());
}

Result<std::string> server_version(Client &client, Deadline deadline)
{
    TORTIE_TRY(const std::string answer, client.send({.path = "/version"}, deadline));
    return parse_version(answer);
}

std::string pod_path(const std::string &ns, const std::string &name)
{
    return namespace_path(ns) + "/pods/" + http::percent_encoded(name);
}

std::string namespace_path(const std::string &name)
{
    return "/api/v1/namespaces/" + http::percent_encoded(name);
}

std::string node_path(const std::string &name)
{
    return "/api/v1/nodes/" + http::percent_encoded(name);
}

}  // namespace tortie::kube
