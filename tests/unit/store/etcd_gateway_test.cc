// SPDX-License-Identifier: Apache-2.0
//
// Answers that no healthy etcd gives, from a server that says what the test wants.
#include "store/codec_gateway.h"

#include <gtest/gtest.h>

#include "harness/http_server.h"
#include "samples.h"
#include "store/etcd.h"
#include "store/names.h"

namespace tortie::store {
namespace {

using nlohmann::json;
using test::HttpPeer;
using test::HttpServer;

std::unique_ptr<Store> open(const HttpServer &server)
{
    EtcdSettings settings;
    settings.endpoints = "http://127.0.0.1:" + std::to_string(server.port());
    return open_etcd(settings).value();
}

HttpServer::Script answering(unsigned status, const std::string &body)
{
    return [status, body](HttpPeer &peer) {
        peer.request();
        peer.answer(status, body);
    };
}

Error read_error(unsigned status, const std::string &body)
{
    const HttpServer server({answering(status, body)});
    const Query query = ListHandles{};
    const Found found =
        open(server)->read({&query, 1}, Deadline::in(std::chrono::seconds(5))).at(0);
    EXPECT_FALSE(found);
    return found ? Error(ErrorKind::kSystem, "") : found.error();
}

Error write_error(const HttpServer::Script &script)
{
    const HttpServer server({script});
    const Write write = {Op::kCreate, HandleKey{"h"}, Handle{"h", {}, false, {}}, {}, 0};
    const Written written =
        open(server)->commit({&write, 1}, Deadline::in(std::chrono::seconds(5)));
    EXPECT_FALSE(written.at(0));
    return written.at(0) ? Error(ErrorKind::kSystem, "") : written.at(0).error();
}

constexpr const char *kNoLeader = R"({"error":"etcdserver: no leader","code":14})";
constexpr const char *kTimedOut = R"({"error":"etcdserver: request timed out","code":14})";

TEST(EtcdAnswer, ThatIsARefusalIsExplained)
{
    EXPECT_NE(read_error(404, "404 page not found").what().find("does not serve /v3/kv"),
              std::string::npos);
    EXPECT_NE(read_error(400, R"({"error":"etcdserver: user name is empty","code":3})")
                  .what()
                  .find("give ETCD_USERNAME and ETCD_PASSWORD"),
              std::string::npos);
    EXPECT_NE(read_error(403, R"({"error":"etcdserver: permission denied","code":7})")
                  .what()
                  .find("connection is unauthorized: etcdserver: permission denied"),
              std::string::npos);
}

TEST(EtcdAnswer, ThatMayPassSaysTryAgainToAReader)
{
    EXPECT_EQ(read_error(503, kNoLeader).kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(read_error(503, kTimedOut).kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(read_error(502, "<html>").kind(), ErrorKind::kTryAgain);
}

TEST(EtcdAnswer, TellsAWriterWhetherItMayHaveHappened)
{
    EXPECT_EQ(write_error(answering(503, kNoLeader)).kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(write_error(answering(503, kTimedOut)).kind(), ErrorKind::kUnknownOutcome);
    EXPECT_EQ(write_error(answering(200, "{")).kind(), ErrorKind::kUnknownOutcome);
    EXPECT_EQ(write_error([](HttpPeer &peer) { peer.request(); }).kind(),
              ErrorKind::kUnknownOutcome);
    EXPECT_EQ(write_error(answering(400, R"({"error":"etcdserver: bad","code":3})")).kind(),
              ErrorKind::kSystem);
}

TEST(EtcdAnswer, ThatIsNotEtcdsIsRefused)
{
    for (const char *body :
         {"", "[]", R"({"responses":[]})", R"({"responses":[7],"header":{"revision":"1"}})",
          R"({"responses":[{"response_range":{"kvs":[{"key":"!!"}]}}]})",
          R"({"responses":[{"response_range":{"kvs":[{"value":"e30="}]}}]})",
          R"({"responses":[{"response_range":{"more":true}}]})"}) {
        EXPECT_EQ(read_error(200, body).kind(), ErrorKind::kSystem) << body;
    }
}

TEST(EtcdRequest, ComparesAndReadsWhatItMayNotWrite)
{
    const Change create = {Op::kCreate, HandleKey{"h"}, "k1", "v", ""};
    const Change update = {Op::kUpdate, HandleKey{"h"}, "k2", "v", "7"};
    const Change remove = {Op::kDelete, HandleKey{"h"}, "k3", "", "8"};

    EXPECT_EQ(json::parse(commit_request(std::vector<Change>{create, update, remove})),
              json::parse(R"({
        "compare":[{"key":"azE=","target":"VERSION","version":"0","result":"EQUAL"},
                   {"key":"azI=","target":"MOD","mod_revision":"7","result":"EQUAL"},
                   {"key":"azM=","target":"MOD","mod_revision":"8","result":"EQUAL"}],
        "success":[{"request_put":{"key":"azE=","value":"dg=="}},
                   {"request_put":{"key":"azI=","value":"dg=="}},
                   {"request_delete_range":{"key":"azM="}}],
        "failure":[{"request_range":{"key":"azE="}},{"request_range":{"key":"azI="}},
                   {"request_range":{"key":"azM="}}]})"));
}

TEST(EtcdSettings, NeedAScheme)
{
    EtcdSettings settings;
    settings.endpoints = "192.0.2.1:2379";

    const auto store = open_etcd(settings);

    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().what(),
              "etcd endpoint \"192.0.2.1:2379\" has no scheme: it must begin with http:// or "
              "https://");
}

TEST(EtcdSettings, NeedEndpointsAndReadableFiles)
{
    EtcdSettings settings;
    EXPECT_EQ(open_etcd(settings).error().what(), "no etcd endpoints specified");
    settings.endpoints = "https://192.0.2.1:2379";
    settings.ca_file = "/nowhere/ca.pem";
    EXPECT_EQ(open_etcd(settings).error().kind(), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace tortie::store
