// SPDX-License-Identifier: Apache-2.0
//
// Each case gets a fresh container of the installer; those of InstallInPodTest are a pod with an
// API server that answers what the case says.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "harness/http_server.h"
#include "harness/install_container.h"

namespace tortie::test {

class InstallTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        static const Result<> entered = enter_install_container();
        if (!entered)
            GTEST_SKIP() << "no container of its own: " << entered.error().what();
        renew_install_container();
    }

    // What the installer left in the directory of configurations, without its own record.
    static std::vector<std::string> configurations()
    {
        std::vector<std::string> names = names_in(kHostNet);
        std::erase(names, "tortie.files");
        std::erase(names, "tortie.capabilities");
        return names;
    }
};

constexpr const char *kMountedToken = "mounted-token-marked-secret";
constexpr const char *kGivenToken = "given-token-marked-secret";

class InstallInPodTest : public InstallTest {
protected:
    // The API server, on `address`; its certificate is signed by the pod's ca.crt.
    void serve(std::vector<HttpServer::Script> scripts, const std::string &address = "127.0.0.1")
    {
        HttpServer::Options options;
        options.tls = authority().issue({"IP:" + address});
        options.address = address;
        server_ = std::make_unique<HttpServer>(std::move(scripts), std::move(options));
        write_content(std::string(kPodSecrets) + "/token", std::string(kMountedToken) + "\n");
        write_content(std::string(kPodSecrets) + "/ca.crt", authority().pem());
        write_content(std::string(kPodSecrets) + "/namespace", "kube-system\n");
        address_ = address;
    }

    HttpServer &server() { return *server_; }

    InstallEnv pod_env(const InstallEnv &more = {}) const
    {
        InstallEnv env = install_env(more);
        env.try_emplace("KUBERNETES_SERVICE_HOST", address_);
        env.try_emplace("KUBERNETES_SERVICE_PORT", std::to_string(server_->port()));
        env.try_emplace("TORTIE_API_TIMEOUT", "2s");
        return env;
    }

    static const TlsAuthority &authority()
    {
        static const TlsAuthority authority;
        return authority;
    }

    static std::string token_answer(const std::string &token)
    {
        return R"({"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","metadata":{},)"
               R"("spec":{"audiences":["x"],"expirationSeconds":86400},"status":{"token":")" +
               token + R"(","expirationTimestamp":"2030-01-01T00:00:00Z"}})";
    }

    // A connection on which each request gets the next token: "<kGivenToken>-1" and so on.
    static HttpServer::Script gives_tokens()
    {
        return [](HttpPeer &peer) {
            for (int i = 1; !peer.request().empty(); ++i)
                peer.answer(201, token_answer(std::string(kGivenToken) + '-' + std::to_string(i)),
                            "Content-Type: application/json\r\n");
        };
    }

    // Every request of the connection gets this.
    static HttpServer::Script answers(unsigned status, const std::string &body)
    {
        return [=](HttpPeer &peer) {
            while (!peer.request().empty())
                peer.answer(status, body, "Content-Type: application/json\r\n");
        };
    }

    static std::string status_object(unsigned code, const std::string &reason,
                                     const std::string &message, const std::string &details = "{}")
    {
        return R"({"kind":"Status","apiVersion":"v1","status":"Failure","reason":")" + reason +
               R"(","message":")" + message + R"(","code":)" + std::to_string(code) +
               R"(,"details":)" + details + "}";
    }

private:
    std::unique_ptr<HttpServer> server_;
    std::string address_ = "127.0.0.1";
};

}  // namespace tortie::test
