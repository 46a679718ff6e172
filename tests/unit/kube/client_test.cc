// SPDX-License-Identifier: Apache-2.0
#include "kube/client.h"

#include <thread>

#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/http_server.h"
#include "harness/temp_dir.h"
#include "kube/json_token.h"

namespace tortie::kube {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;
using test::HttpServer;

std::string status(const std::string &reason, const std::string &message,
                   const std::string &details = "{}")
{
    return R"({"kind":"Status","apiVersion":"v1","status":"Failure","reason":")" + reason +
           R"(","message":")" + message + R"(","details":)" + details + "}";
}

// Answers with these in turn, whatever is asked.
struct Canned {
    unsigned status;
    std::string body;
    std::string headers = "";
};
HttpServer::Script answers(std::vector<Canned> all)
{
    return [all = std::move(all)](HttpPeer &peer) {
        for (const Canned &each : all) {
            if (peer.request().empty())
                return;
            peer.answer(each.status, each.body, each.headers);
        }
        peer.request();
    };
}

class KubeClient : public testing::Test {
protected:
    Client client_of(const HttpServer &server)
    {
        AccessSettings settings;
        settings.kubeconfig = dir_ / "config";
        write_config(server.port(), "one");
        return {settings, [](const char *) -> const char * { return nullptr; }};
    }

    void write_config(std::uint16_t port, const std::string &token)
    {
        ASSERT_TRUE(replace_file(
            dir_ / "config",
            R"({"clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:)" +
                std::to_string(port) + R"(/base"}}],"users":[{"name":"u","user":{"token":")" +
                token +
                R"("}}],"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],)"
                R"("current-context":"x"})",
            0600));
    }

    static Deadline soon() { return Deadline::in(5s); }

    test::TempDir dir_;
};

Call get(std::string path)
{
    return {.path = std::move(path)};
}
Call put(std::string path)
{
    return {.method = http::Method::kPut, .path = std::move(path), .body = "{}"};
}

TEST_F(KubeClient, AuthorizesItselfAndAsksForJson)
{
    HttpServer server({answers({{200, "body"}})});
    Client client = client_of(server);

    const auto answer = client.send(get("/version"), soon());

    ASSERT_TRUE(answer) << answer.error().what();
    EXPECT_EQ(*answer, "body");
    const std::string request = server.requests().at(0);
    EXPECT_TRUE(request.starts_with("GET /base/version HTTP/1.1\r\n")) << request;
    EXPECT_NE(request.find("\r\nAuthorization: Bearer one\r\n"), std::string::npos);
    EXPECT_NE(request.find("\r\nAccept: application/json\r\n"), std::string::npos);
}

TEST_F(KubeClient, ReadsTheTokenAnewWhenItIsRefused)
{
    HttpServer server({[&](HttpPeer &peer) {
                           peer.request();
                           write_config(server.port(), "two");
                           peer.answer(401, status("Unauthorized", "Unauthorized"));
                           peer.request();
                       },
                       answers({{200, "fine"}})});
    Client client = client_of(server);

    const auto answer = client.send(put("/x"), soon());

    ASSERT_TRUE(answer) << answer.error().what();
    EXPECT_EQ(*answer, "fine");
    EXPECT_NE(server.requests().back().find("Bearer two"), std::string::npos);
}

TEST_F(KubeClient, AsksNoThirdTimeWhenItIsRefusedAgain)
{
    const Canned refused{401, status("Unauthorized", "Unauthorized")};
    HttpServer server({answers({refused}), answers({refused, refused})});
    Client client = client_of(server);

    const auto answer = client.send(get("/x"), soon());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what(), "connection is unauthorized: Unauthorized (credentials of " +
                                         (dir_ / "config") + ")");
    EXPECT_EQ(answer.error().kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(server.requests().size(), 2U);
}

// The claims are {"exp":1700000000}.
TEST_F(KubeClient, SaysWhenARefusedTokenExpired)
{
    const Canned refused{401, status("Unauthorized", "Unauthorized")};
    HttpServer server({answers({refused}), answers({refused})});
    Client client = client_of(server);
    write_config(server.port(), "e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln");

    const auto answer = client.send(get("/x"), soon());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what(), "connection is unauthorized: Unauthorized (credentials of " +
                                         (dir_ / "config") +
                                         ": the token expired at 2023-11-14T22:13:20Z)");
}

TEST_F(KubeClient, LooksAgainAtAKubeconfigThatIsBeingWritten)
{
    HttpServer server({answers({{200, "fine"}})});
    Client client = client_of(server);
    ASSERT_TRUE(replace_file(dir_ / "config", "", 0600));
    std::thread writer([&] {
        std::this_thread::sleep_for(20ms);
        write_config(server.port(), "two");
    });

    const auto answer = client.send(get("/x"), soon());

    writer.join();
    ASSERT_TRUE(answer) << answer.error().what();
    EXPECT_EQ(*answer, "fine");
}

TEST(Token, TellsItsEndAndIsLeftAloneOtherwise)
{
    EXPECT_EQ(token_expiry_unix_s("e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln"), 1700000000);
    EXPECT_EQ(token_expiry_unix_s("h.eyJleHAiOjE5MDAwMDAwMDB9.s"), 1900000000);
    for (const char *text :
         {"", "secret", "a.b", "a.!!.c", "a.e30.c", "a.b.c", "e30.e30.", "e30.eyJleHAiOiJ4In0.",
          "e30.eyJleHAiOi0xfQ.", "e30.eyJleHAiOjFlOTl9.", ".."})
        EXPECT_FALSE(token_expiry_unix_s(text)) << text;
}

TEST_F(KubeClient, RepeatsReadsOfAnOverloadedServerAndOnlyThose)
{
    HttpServer server({answers({{200, "a"}, {503, "busy"}, {500, "etcd"}, {200, "b"}})});
    Client client = client_of(server);
    const std::vector<Call> calls{get("/a"), get("/b"), put("/c")};

    const auto all = client.exchange(calls, soon());

    EXPECT_EQ(*all[0], "a");
    EXPECT_EQ(*all[1], "b");
    ASSERT_FALSE(all[2]);
    EXPECT_EQ(all[2].error().kind(), ErrorKind::kUnknownOutcome);
    EXPECT_EQ(all[2].error().what(), "etcd");
}

TEST_F(KubeClient, WaitsAsLongAsItIsTold)
{
    HttpServer server({answers({{429, "", "Retry-After: 1\r\n"}, {200, "then"}})});
    Client client = client_of(server);
    const auto begin = Deadline::Clock::now();

    const auto answer = client.send(put("/x"), soon());

    ASSERT_TRUE(answer) << answer.error().what();
    EXPECT_GE(Deadline::Clock::now() - begin, 1s);
}

TEST_F(KubeClient, DoesNotWaitBeyondTheDeadline)
{
    HttpServer server({answers({{503, "busy", "Retry-After: 30\r\n"}})});
    Client client = client_of(server);
    const auto begin = Deadline::Clock::now();

    const auto answer = client.send(get("/x"), soon());

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind(), ErrorKind::kTryAgain);
    EXPECT_LT(Deadline::Clock::now() - begin, 2s);
}

TEST_F(KubeClient, TellsWhatAnErrorMeans)
{
    struct Row {
        Canned answer;
        bool write;
        ErrorKind kind;
    };
    const std::string uid = R"({"causes":[{"field":"metadata.uid"}]})";
    const std::string version = R"({"causes":[{"field":"metadata.resourceVersion"}]})";
    const std::string both =
        R"({"causes":[{"field":"metadata.resourceVersion"},{"field":"spec"}]})";
    const std::vector<Row> rows{
        {{404, status("NotFound", "gone", R"({"name":"a"})")}, false, ErrorKind::kNotFound},
        {{404, status("NotFound", "the server could not find the requested resource")},
         false,
         ErrorKind::kUnsupported},
        {{404, "404 page not found\\n"}, false, ErrorKind::kUnsupported},
        {{409, status("AlreadyExists", "there")}, true, ErrorKind::kExists},
        {{409, status("Conflict", "modified")}, true, ErrorKind::kConflict},
        {{409, status("Conflict", "Precondition failed: UID in precondition: x")},
         true,
         ErrorKind::kNotFound},
        {{422, status("Invalid", "x", uid)}, true, ErrorKind::kNotFound},
        {{422, status("Invalid", "x", version)}, true, ErrorKind::kConflict},
        {{422, status("Invalid", "x", both)}, true, ErrorKind::kInvalidInput},
        {{403, status("Forbidden", "no")}, true, ErrorKind::kSystem},
        {{410, status("Expired", "old")}, false, ErrorKind::kTryAgain},
        {{400, "bad"}, true, ErrorKind::kInvalidInput},
        {{504, status("Timeout", "late")}, true, ErrorKind::kUnknownOutcome},
    };
    std::vector<Canned> canned;
    std::vector<Call> calls;
    for (const Row &row : rows) {
        canned.push_back(row.answer);
        calls.push_back(row.write ? put("/x") : get("/x"));
    }
    HttpServer server({answers(canned)});
    Client client = client_of(server);

    const auto all = client.exchange(calls, soon());

    for (std::size_t i = 0; i < rows.size(); ++i) {
        ASSERT_FALSE(all[i]);
        EXPECT_EQ(all[i].error().kind(), rows[i].kind) << i << ' ' << all[i].error().what();
    }
    EXPECT_EQ(all[9].error().what(), "connection is unauthorized: no");
}

TEST_F(KubeClient, FailsEveryCallWhenTheConfigurationIsNoGood)
{
    AccessSettings settings;
    settings.kubeconfig = dir_ / "missing";
    Client client(settings, [](const char *) -> const char * { return nullptr; });
    const std::vector<Call> calls{get("/a"), get("/b")};

    const auto all = client.exchange(calls, soon());

    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[1].error().what(), "open " + settings.kubeconfig + ": no such file or directory");
}

}  // namespace
}  // namespace tortie::kube
