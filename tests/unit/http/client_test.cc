// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <gtest/gtest.h>

#include "harness/http_server.h"

namespace tortie::http {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;
using test::HttpServer;

Deadline soon()
{
    return Deadline::in(5s);
}

Server plain(const HttpServer &server)
{
    return {.host = "127.0.0.1", .port = server.port()};
}

Request get(std::string target)
{
    return {.method = Method::kGet, .target = std::move(target)};
}

TEST(HttpClient, SendsARequestAsHttp11)
{
    HttpServer server({test::echo_targets()});
    Client client(plain(server));

    const auto answer = client.send({.method = Method::kPut,
                                     .target = "/a?b=c",
                                     .headers = {{"Accept", "application/json"}},
                                     .body = "{}"},
                                    soon());

    ASSERT_TRUE(answer) << answer.error().what();
    EXPECT_EQ(answer->status, 200U);
    EXPECT_EQ(answer->body, "answer to /a?b=c");
    EXPECT_EQ(server.requests().at(0),
              "PUT /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                  "\r\nAccept: application/json\r\n"
                  "Content-Length: 2\r\n\r\n{}");
}

TEST(HttpClient, PipelinesRequestsOnOneConnectionAndKeepsTheirOrder)
{
    // Answers nothing before all three are there.
    HttpServer server({[](HttpPeer &peer) {
        std::vector<std::string> targets;
        for (int i = 0; i < 3; ++i)
            targets.push_back(test::target_of(peer.request()));
        for (const auto &target : targets)
            peer.answer(target == "/b" ? 404 : 200, target);
        test::echo_targets()(peer);
    }});
    Client client(plain(server));
    const std::vector<Request> requests{get("/a"), get("/b"), get("/c")};

    const auto answers = client.exchange(requests, soon());
    const auto later = client.send(get("/later"), soon());

    ASSERT_EQ(answers.size(), 3U);
    EXPECT_EQ(answers[0]->body, "/a");
    EXPECT_EQ(answers[1]->status, 404U);
    EXPECT_EQ(answers[2]->body, "/c");
    EXPECT_EQ(later->body, "answer to /later");
    EXPECT_EQ(server.connections(), 1U);
}

TEST(HttpClient, MovesBodiesLargerThanTheSocketsBuffersBothWays)
{
    // The server reads the second request only after it has written a large answer to the first.
    const std::string big(8 << 20, 'x');
    HttpServer server({[&](HttpPeer &peer) {
        peer.request();
        peer.answer(200, big);
        const std::string second = peer.request();
        peer.answer(200, std::to_string(second.size() > big.size()));
    }});
    Client client(plain(server));
    const std::vector<Request> requests{{.method = Method::kPost, .target = "/1", .body = big},
                                        {.method = Method::kPost, .target = "/2", .body = big}};

    const auto answers = client.exchange(requests, soon());

    ASSERT_TRUE(answers[0]) << answers[0].error().what();
    EXPECT_EQ(answers[0]->body.size(), big.size());
    ASSERT_TRUE(answers[1]) << answers[1].error().what();
    EXPECT_EQ(answers[1]->body, "1");
}

TEST(HttpClient, ReachesServersByIpv6AndByName)
{
    HttpServer v6({test::echo_targets()}, {.tls = {}, .client_ca_pem = "", .address = "::1"});
    Client by_address({.host = "::1", .port = v6.port()});
    const auto answer = by_address.send(get("/6"), soon());
    ASSERT_TRUE(answer) << answer.error().what();
    EXPECT_NE(v6.requests().at(0).find("Host: [::1]:"), std::string::npos);

    HttpServer v4({test::echo_targets()});
    Client by_name({.host = "localhost", .port = v4.port()});
    const auto named = by_name.send(get("/4"), soon());
    ASSERT_TRUE(named) << named.error().what();
}

TEST(HttpClient, AsksAnHttpProxyForTheWholeUrl)
{
    HttpServer proxy({test::echo_targets()});
    Client client({.host = "192.0.2.1",
                   .port = 8080,
                   .proxy = Proxy{.host = "127.0.0.1", .port = proxy.port(), .user_info = "u:p"}});

    ASSERT_TRUE(client.send(get("/x"), soon()));

    const std::string request = proxy.requests().at(0);
    EXPECT_TRUE(
        request.starts_with("GET http://192.0.2.1:8080/x HTTP/1.1\r\n"
                            "Host: 192.0.2.1:8080\r\n"
                            "Proxy-Authorization: Basic dTpw\r\n"))
        << request;
}

TEST(HttpClient, SendsNoHeaderThatWouldBeginAnother)
{
    HttpServer server({test::echo_targets()});
    Client client(plain(server));
    std::vector<Request> requests{get("/bad"), get("/good"), get("/a b")};
    requests[0].headers = {{"Authorization", "Bearer x\r\nX-Admin: 1"}};

    const auto answers = client.exchange(requests, soon());

    ASSERT_FALSE(answers[0]);
    EXPECT_EQ(answers[0].error().kind(), ErrorKind::kInvalidInput);
    EXPECT_EQ(answers[0].error().what().find("Bearer"), std::string::npos);
    EXPECT_TRUE(answers[1]);
    EXPECT_FALSE(answers[2]);
    EXPECT_EQ(server.requests().size(), 1U);
}

}  // namespace
}  // namespace tortie::http
