// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "harness/http_server.h"
#include "harness/tls_authority.h"
#include "http/client.h"

namespace tortie::http {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;
using test::HttpServer;

Request get(std::string target)
{
    return {.method = Method::kGet, .target = std::move(target)};
}

class TlsClient : public testing::Test {
protected:
    static HttpServer::Options with(test::Identity identity, std::string client_ca = "",
                                    std::string address = "127.0.0.1")
    {
        return {.tls = std::move(identity),
                .client_ca_pem = std::move(client_ca),
                .address = std::move(address)};
    }

    Server trusting(const HttpServer &server) const
    {
        return {.host = "127.0.0.1", .port = server.port(), .tls = Tls{.ca_pem = authority_.pem()}};
    }

    // The error of one GET, or "" when it was answered.
    static std::string try_get(const Server &server, ErrorKind *kind = nullptr)
    {
        Client client(server);
        const auto answer = client.send(get("/x"), Deadline::in(5s));
        if (answer)
            return answer->body == "answer to /x" ? "" : "wrong answer";
        if (kind)
            *kind = answer.error().kind();
        const std::string url = "Get \"https://127.0.0.1:" + std::to_string(server.port) + "/x\": ";
        const std::string &what = answer.error().what();
        return what.starts_with(url) ? what.substr(url.size()) : what;
    }

    test::TlsAuthority authority_;
    test::Identity good_ = authority_.issue({"IP:127.0.0.1", "IP:::1", "DNS:kubernetes"});
};

TEST_F(TlsClient, TrustsAServerOfItsAuthorityByAddress)
{
    HttpServer server({test::echo_targets()}, with(good_));

    EXPECT_EQ(try_get(trusting(server)), "");
}

TEST_F(TlsClient, TrustsAServerByIpv6Address)
{
    HttpServer server({test::echo_targets()}, with(good_, "", "::1"));
    Server target = trusting(server);
    target.host = "::1";

    EXPECT_EQ(try_get(target), "");
}

TEST_F(TlsClient, LooksForTheNameThatItIsTold)
{
    HttpServer server({test::echo_targets(), test::echo_targets(1)}, with(good_));
    Server target = trusting(server);

    target.tls->server_name = "kubernetes";
    EXPECT_EQ(try_get(target), "");

    target.tls->server_name = "other.example";
    EXPECT_EQ(try_get(target),
              "tls: failed to verify certificate: x509: certificate is valid for 127.0.0.1, ::1, "
              "kubernetes, not other.example");
}

TEST_F(TlsClient, RefusesAnotherAddressThanTheCertificates)
{
    HttpServer server({test::echo_targets()}, with(authority_.issue({"IP:192.0.2.1"})));
    ErrorKind kind{};

    EXPECT_EQ(try_get(trusting(server), &kind),
              "tls: failed to verify certificate: x509: certificate is valid for 192.0.2.1, not "
              "127.0.0.1");
    EXPECT_EQ(kind, ErrorKind::kSystem);
}

TEST_F(TlsClient, RefusesAnotherAuthority)
{
    const test::TlsAuthority other;
    HttpServer server({test::echo_targets()}, with(other.issue({"IP:127.0.0.1"})));

    EXPECT_EQ(try_get(trusting(server)),
              "tls: failed to verify certificate: x509: certificate signed by unknown authority");
}

TEST_F(TlsClient, RefusesAnExpiredCertificate)
{
    HttpServer server({test::echo_targets()},
                      with(authority_.issue({"IP:127.0.0.1"}, /*expired=*/true)));

    EXPECT_EQ(try_get(trusting(server)),
              "tls: failed to verify certificate: x509: certificate has expired or is not yet "
              "valid");
}

TEST_F(TlsClient, BelievesAnythingOnlyWhenToldTo)
{
    const test::TlsAuthority other;
    HttpServer server({test::echo_targets()}, with(other.issue({"DNS:x"})));
    Server target = trusting(server);
    target.tls->insecure = true;

    EXPECT_EQ(try_get(target), "");
}

TEST_F(TlsClient, ShowsItsCertificate)
{
    HttpServer server({test::echo_targets()}, with(good_, authority_.pem()));
    Server target = trusting(server);
    const test::Identity own = authority_.issue({});
    target.tls->certificate_pem = own.certificate_pem;
    target.tls->key_pem = own.key_pem;

    EXPECT_EQ(try_get(target), "");
}

TEST_F(TlsClient, PassesOnWhyTheServerRefusesIt)
{
    HttpServer server({test::echo_targets(), test::echo_targets()}, with(good_, authority_.pem()));

    const std::string error = try_get(trusting(server));

    EXPECT_TRUE(error.starts_with("remote error: tls: ") ||
                error.ends_with("connection reset by peer"))
        << error;
}

TEST_F(TlsClient, RefusesKeysThatAreNone)
{
    HttpServer server({test::echo_targets()}, with(good_));
    Server target = trusting(server);
    ErrorKind kind{};

    target.tls->ca_pem = "no PEM";
    EXPECT_EQ(try_get(target, &kind), "tls: the CA holds no certificate in PEM");
    EXPECT_EQ(kind, ErrorKind::kInvalidInput);

    target = trusting(server);
    target.tls->certificate_pem = good_.certificate_pem;
    target.tls->key_pem = "no PEM";
    EXPECT_EQ(try_get(target), "tls: the client key is not unencrypted PEM");

    target.tls->key_pem = authority_.issue({}).key_pem;
    EXPECT_EQ(try_get(target), "tls: private key does not match public key");
    EXPECT_EQ(server.connections(), 0U) << "nothing was sent";
}

TEST_F(TlsClient, SaysWhenTheServerSpeaksNoTls)
{
    HttpServer server({[](HttpPeer &peer) { peer.write("HTTP/1.1 400 Bad Request\r\n\r\n"); }});
    Server target = trusting(server);

    EXPECT_EQ(try_get(target), "tls: first record does not look like a TLS handshake");
}

TEST_F(TlsClient, GivesUpAHandshakeThatNobodyAnswers)
{
    HttpServer server({[](HttpPeer &peer) { peer.request(); }});
    Client client(trusting(server), {.connect = 50ms});

    const auto answer = client.send(get("/x"), Deadline::in(5s));

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind(), ErrorKind::kTryAgain);
    EXPECT_NE(answer.error().what().find("net/http: TLS handshake timeout"), std::string::npos);
}

TEST_F(TlsClient, GoesThroughAProxyByConnect)
{
    HttpServer proxy({[&](HttpPeer &peer) {
        peer.request();
        peer.write("HTTP/1.1 200 Connection established\r\n\r\n");
        peer.begin_tls(authority_.issue({"IP:192.0.2.9"}));
        test::echo_targets()(peer);
    }});
    Server target = trusting(proxy);
    target.host = "192.0.2.9";
    target.port = 6443;
    target.proxy = Proxy{.host = "127.0.0.1", .port = proxy.port(), .user_info = "u:p"};

    EXPECT_EQ(try_get(target), "");

    EXPECT_EQ(proxy.requests().at(0),
              "CONNECT 192.0.2.9:6443 HTTP/1.1\r\nHost: 192.0.2.9:6443\r\n"
              "Proxy-Authorization: Basic dTpw\r\n\r\n");
}

TEST_F(TlsClient, GoesThroughAnHttpsProxy)
{
    HttpServer proxy({[&](HttpPeer &peer) {
                         peer.request();
                         peer.write("HTTP/1.1 200 OK\r\n\r\n");
                         peer.begin_tls(authority_.issue({"IP:192.0.2.9"}));
                         test::echo_targets()(peer);
                     }},
                     with(good_));
    Server target = trusting(proxy);
    target.host = "192.0.2.9";
    target.proxy =
        Proxy{.https = true, .host = "127.0.0.1", .port = proxy.port(), .ca_pem = authority_.pem()};

    EXPECT_EQ(try_get(target), "");
}

TEST_F(TlsClient, SaysThatTheProxyRefused)
{
    HttpServer proxy({[](HttpPeer &peer) {
        peer.request();
        peer.answer(403, "no");
    }});
    Server target = trusting(proxy);
    target.proxy = Proxy{.host = "127.0.0.1", .port = proxy.port()};

    EXPECT_EQ(try_get(target), "proxyconnect tcp: the proxy answered CONNECT with status 403");
}

}  // namespace
}  // namespace tortie::http
