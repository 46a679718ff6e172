// SPDX-License-Identifier: Apache-2.0
//
// What a caller learns when the server or the way to it fails.
#include <gtest/gtest.h>

#include "harness/http_server.h"
#include "http/client.h"

namespace tortie::http {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;
using test::HttpServer;

Deadline soon()
{
    return Deadline::in(5s);
}

Server plain(std::uint16_t port)
{
    return {.host = "127.0.0.1", .port = port};
}

Request request(Method method, std::string target, bool repeatable = false)
{
    return {.method = method,
            .target = std::move(target),
            .body = method == Method::kGet ? "" : "{}",
            .repeatable = repeatable};
}

const HttpServer::Script kClose = [](HttpPeer &peer) { peer.request(); };

std::string url_of(const HttpServer &server, const std::string &target)
{
    return "\"http://127.0.0.1:" + std::to_string(server.port()) + target + "\"";
}

TEST(HttpClientFaults, NameARefusedConnectionInTheWordsOfGo)
{
    std::uint16_t port = 0;
    {
        HttpServer gone({});
        port = gone.port();
    }
    Client client(plain(port));

    const auto answer = client.send(request(Method::kPut, "/x"), soon());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind(), ErrorKind::kTryAgain);
    const std::string address = "127.0.0.1:" + std::to_string(port);
    EXPECT_EQ(answer.error().what(), "Put \"http://" + address + "/x\": dial tcp " + address +
                                         ": connect: connection refused");
}

TEST(HttpClientFaults, NameAServerThatIsNotThere)
{
    // 192.0.2.0/24 is nobody's: either nothing answers, or the node has no route.
    Client client({.host = "192.0.2.1", .port = 443});

    const auto answer = client.send(request(Method::kGet, "/"), Deadline::in(100ms));

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind(), ErrorKind::kTryAgain);
    EXPECT_NE(answer.error().what().find("dial tcp 192.0.2.1:443: "), std::string::npos)
        << answer.error().what();
}

TEST(HttpClientFaults, NameAServerWhoseNameIsUnknown)
{
    Client client({.host = "nowhere.invalid", .port = 443});

    const auto answer = client.send(request(Method::kGet, "/"), Deadline::in(500ms));

    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what().find("dial tcp: lookup nowhere.invalid: "), std::string::npos)
        << answer.error().what();
}

TEST(HttpClientFaults, AreOverAtTheDeadline)
{
    HttpServer silent({[](HttpPeer &peer) {
        peer.request();
        peer.request();
        peer.request();  // empty: the client has gone
    }});
    Client client(plain(silent.port()));
    const std::vector<Request> requests{request(Method::kGet, "/r"), request(Method::kPut, "/w")};

    const auto answers = client.exchange(requests, Deadline::in(50ms));

    EXPECT_EQ(answers[0].error().kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(answers[0].error().what(),
              "Get " + url_of(silent, "/r") + ": context deadline exceeded");
    EXPECT_EQ(answers[1].error().kind(), ErrorKind::kUnknownOutcome);
    EXPECT_EQ(answers[1].error().what(),
              "Put " + url_of(silent, "/w") + ": context deadline exceeded");
}

TEST(HttpClientFaults, RepeatReadsButNoWritesWhenTheServerClosesMidway)
{
    HttpServer server({[](HttpPeer &peer) {
                           peer.request();
                           peer.answer(200, "first");
                           peer.request();
                           peer.request();
                           peer.request();
                       },
                       test::echo_targets()});
    Client client(plain(server.port()));
    const std::vector<Request> requests{request(Method::kGet, "/1"), request(Method::kGet, "/2"),
                                        request(Method::kPost, "/3"),
                                        request(Method::kPost, "/4", /*repeatable=*/true)};

    const auto answers = client.exchange(requests, soon());

    EXPECT_EQ(answers[0]->body, "first");
    EXPECT_EQ(answers[1]->body, "answer to /2");
    ASSERT_FALSE(answers[2]);
    EXPECT_EQ(answers[2].error().kind(), ErrorKind::kUnknownOutcome);
    EXPECT_EQ(answers[2].error().what(), "Post " + url_of(server, "/3") + ": EOF");
    EXPECT_EQ(answers[3]->body, "answer to /4");
    EXPECT_EQ(server.connections(), 2U);
}

TEST(HttpClientFaults, GoOnWithServersThatCloseAfterEachAnswer)
{
    const HttpServer::Script once = [](HttpPeer &peer) {
        peer.answer(200, "to " + test::target_of(peer.request()), "Connection: close\r\n");
    };
    HttpServer server({once, once, once, once});
    Client client(plain(server.port()));
    const std::vector<Request> requests{request(Method::kGet, "/1"), request(Method::kGet, "/2"),
                                        request(Method::kGet, "/3"), request(Method::kGet, "/4")};

    const auto answers = client.exchange(requests, soon());

    for (const auto &answer : answers)
        ASSERT_TRUE(answer) << answer.error().what();
    EXPECT_EQ(answers[3]->body, "to /4");
}

TEST(HttpClientFaults, StopAfterTwoConnectionsWithoutAnAnswer)
{
    HttpServer server({kClose, kClose, test::echo_targets()});
    Client client(plain(server.port()));

    const auto answer = client.send(request(Method::kGet, "/x"), soon());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(answer.error().what(), "Get " + url_of(server, "/x") + ": EOF");
    EXPECT_EQ(server.connections(), 2U);
}

TEST(HttpClientFaults, DoNotTouchAWriteOnAConnectionThatDiedWhileIdle)
{
    HttpServer server({test::echo_targets(1), test::echo_targets()});
    Client client(plain(server.port()));
    ASSERT_TRUE(client.send(request(Method::kGet, "/1"), soon()));
    // The server closes after its answer; its end of file is on the way.
    for (const auto until = soon(); server.connections() < 2 && !until.passed();) {
        const auto answer = client.send(request(Method::kPut, "/2"), soon());
        if (answer)
            EXPECT_EQ(answer->body, "answer to /2");
        else
            EXPECT_EQ(answer.error().kind(), ErrorKind::kUnknownOutcome);
    }
    EXPECT_TRUE(client.send(request(Method::kPut, "/3"), soon()));
}

TEST(HttpClientFaults, TellAHalfAnswerFromAWholeOne)
{
    const HttpServer::Script half = [](HttpPeer &peer) {
        peer.request();
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":");
    };
    HttpServer server({half, half, half});
    Client client(plain(server.port()));

    const auto write = client.send(request(Method::kPut, "/w"), soon());
    const auto read = client.send(request(Method::kGet, "/r"), soon());

    EXPECT_EQ(write.error().kind(), ErrorKind::kUnknownOutcome);
    EXPECT_EQ(write.error().what(), "Put " + url_of(server, "/w") + ": unexpected EOF");
    EXPECT_EQ(read.error().kind(), ErrorKind::kTryAgain);
}

TEST(HttpClientFaults, TakeGarbageForNeitherSuccessNorAReasonToRepeat)
{
    const HttpServer::Script garbage = [](HttpPeer &peer) {
        peer.request();
        peer.write("220 mail.example ESMTP\r\n");
        peer.request();
    };
    HttpServer server({garbage, garbage});
    Client client(plain(server.port()));

    const auto read = client.send(request(Method::kGet, "/r"), soon());
    const auto write = client.send(request(Method::kPost, "/w"), soon());

    EXPECT_EQ(read.error().kind(), ErrorKind::kSystem);
    EXPECT_NE(read.error().what().find("malformed HTTP response"), std::string::npos);
    EXPECT_NE(read.error().what().find("220 mail.example"), std::string::npos);
    EXPECT_EQ(write.error().kind(), ErrorKind::kUnknownOutcome);
    EXPECT_EQ(server.connections(), 2U);
}

TEST(HttpClientFaults, BoundTheAnswer)
{
    HttpServer server({[](HttpPeer &peer) {
        peer.request();
        peer.answer(200, std::string(4096, 'x'));
        peer.request();
    }});
    Client client(plain(server.port()), {.body_bytes = 4095});

    const auto answer = client.send(request(Method::kGet, "/big"), soon());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind(), ErrorKind::kSystem);
    EXPECT_NE(answer.error().what().find("longer than 4095 bytes"), std::string::npos);
}

TEST(HttpClientFaults, DropAConnectionWithSomethingLeftOver)
{
    HttpServer server({[](HttpPeer &peer) {
                           peer.request();
                           peer.write(
                               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
                               "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnot it");
                           peer.request();
                       },
                       test::echo_targets()});
    Client client(plain(server.port()));
    ASSERT_TRUE(client.send(request(Method::kGet, "/1"), soon()));

    const auto second = client.send(request(Method::kGet, "/2"), soon());

    EXPECT_EQ(second->body, "answer to /2");
}

}  // namespace
}  // namespace tortie::http
