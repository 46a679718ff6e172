// SPDX-License-Identifier: Apache-2.0
#include "calico/readiness_gates.h"

#include <chrono>

#include "base/pause.h"
#include "calico/call.h"
#include "http/client.h"
#include "http/url.h"

namespace tortie::calico_cni {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kInAll = 30s;
constexpr std::chrono::milliseconds kOfOneRequest = 5s;
constexpr std::chrono::milliseconds kBetween = 1s;  // upstream: 5 s, the first one, too

Result<http::Url> parse_gate(const std::string &text)
{
    auto url = http::parse_url(text);
    if (url && (url->scheme == "http" || url->scheme == "https"))
        return url;
    return fail(ErrorKind::kInvalidInput,
                "invalid URL set for ReadinessGates:" + text +
                    " Error:" + (url ? "unsupported protocol scheme" : url.error().what()));
}

bool is_ready(const http::Url &url, Deadline deadline)
{
    http::Server server{.host = url.host, .port = url.port, .tls = {}, .proxy = {}};
    if (url.scheme == "https")
        server.tls.emplace().insecure = true;
    http::Request request;
    request.target = url.path.empty() ? "/" : url.path;
    const auto response = http::Client(server).send(request, deadline.at_most(kOfOneRequest));
    return response && response->status >= 200 && response->status < 400;
}

Result<> await_gate(const http::Url &url, Deadline deadline)
{
    while (!is_ready(url, deadline)) {
        TORTIE_DO(go_on());
        if (deadline.left() <= kBetween)
            return fail(ErrorKind::kTryAgain, "context deadline exceeded");
        pause_for(kBetween);
    }
    return {};
}

}  // namespace

Result<> await_readiness_gates(const std::vector<std::string> &urls, Deadline deadline)
{
    const Deadline limit = deadline.at_most(kInAll);
    std::vector<http::Url> gates;
    for (const std::string &url : urls) {
        TORTIE_TRY(http::Url gate, parse_gate(url));
        gates.push_back(std::move(gate));
    }
    for (const http::Url &gate : gates)
        TORTIE_DO(await_gate(gate, limit));
    return {};
}

}  // namespace tortie::calico_cni
