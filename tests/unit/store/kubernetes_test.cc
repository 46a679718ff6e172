// SPDX-License-Identifier: Apache-2.0
//
// What goes over the wire between the store and an API server, and what becomes of its answers.
// The contract of the store itself is tests/store/conformance.cc.
#include "store/kubernetes.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/http_server.h"
#include "harness/temp_dir.h"
#include "store/names.h"

namespace tortie::store {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;
using test::HttpServer;

constexpr const char *kV1 = "/apis/crd.projectcalico.org/v1/";
constexpr const char *kGone =
    R"({"kind":"Status","reason":"NotFound","message":"gone","details":{"name":"x"}})";
constexpr const char *kNoSuchType =
    R"({"kind":"Status","reason":"NotFound","message":"the server could not find the requested )"
    R"(resource","details":{}})";

std::string handle_object(const std::string &id, const std::string &version,
                          const std::string &deleted = "false",
                          const std::string &group = "crd.projectcalico.org/v1")
{
    return R"({"kind":"IPAMHandle","apiVersion":")" + group + R"(","metadata":{"name":")" + id +
           R"(","uid":"u-)" + id + R"(","resourceVersion":")" + version +
           R"("},"spec":{"handleID":")" + id + R"(","block":{},"deleted":)" + deleted + "}}";
}

struct Canned {
    unsigned status;
    std::string body;
};

// Waits for as many requests as there are answers: so they came together.
HttpServer::Script together(std::vector<Canned> answers)
{
    return [answers = std::move(answers)](HttpPeer &peer) {
        for (std::size_t i = 0; i < answers.size(); ++i)
            peer.request();
        for (const Canned &each : answers)
            peer.answer(each.status, each.body);
        peer.request();
    };
}

HttpServer::Script in_turn(std::vector<Canned> answers)
{
    return [answers = std::move(answers)](HttpPeer &peer) {
        for (const Canned &each : answers) {
            if (peer.request().empty())
                return;
            peer.answer(each.status, each.body);
        }
        peer.request();
    };
}

class KubernetesStore : public testing::Test {
protected:
    std::unique_ptr<Store> open(const HttpServer &server, ApiGroup group = ApiGroup::kCrdV1)
    {
        KubernetesSettings settings;
        settings.api_endpoint = "http://127.0.0.1:" + std::to_string(server.port());
        settings.group = group;
        return open_kubernetes(
            settings, [](const char *) -> const char * { return nullptr; }, cache_.path());
    }

    static Deadline soon() { return Deadline::in(5s); }

    static Write write(Op op, const Document &document, Revision expected = {}, unsigned stage = 0)
    {
        return {op, key_of(document), document, std::move(expected), stage};
    }

    static Handle handle(const std::string &id)
    {
        Handle made;
        made.id = id;
        return made;
    }

    test::TempDir cache_;
};

TEST_F(KubernetesStore, SendsABatchOfReadsTogether)
{
    HttpServer server({together(
        {{200, handle_object("a", "7")}, {404, kGone}, {200, R"({"metadata":{},"items":[]})"}})});
    const auto store = open(server);
    const std::vector<Query> queries{Key(HandleKey{"a"}), Key(HandleKey{"b"}),
                                     ListAffinities{"node-a", AffinityType::kHost}};

    const auto found = store->read(queries, soon());

    EXPECT_EQ(found[0]->at(0).revision.version, "7");
    EXPECT_EQ(found[0]->at(0).revision.uid, "u-a");
    EXPECT_EQ(found[1].error().kind(), ErrorKind::kNotFound);
    EXPECT_TRUE(found[2]->empty());
    EXPECT_EQ(test::target_of(server.requests().at(2)),
              std::string(kV1) +
                  "blockaffinities?labelSelector=projectcalico.org%2Faffinity-type%3Dhost%2C"
                  "projectcalico.org%2Fhostname-hash%3D"
                  "PY3TQE2E3XMTETLM2MJO3UITKPFB27YUJ4T4E5XGPEJON3SM4QAA&limit=500");
}

TEST_F(KubernetesStore, SendsReadsAndAFirstWriteTogether)
{
    HttpServer server({together({{200, handle_object("a", "7")}, {201, handle_object("b", "8")}})});
    const auto store = open(server);
    const Query query = Key(HandleKey{"a"});
    const Write made = write(Op::kCreate, handle("b"));

    const Exchanged got = store->exchange({&query, 1}, {&made, 1}, soon());

    EXPECT_EQ(got.found.at(0)->at(0).revision.version, "7");
    EXPECT_EQ(got.written.at(0)->version, "8");
}

TEST_F(KubernetesStore, SendsReadsBeforeWritesOfSeveralStages)
{
    HttpServer server({in_turn({{200, handle_object("a", "7")},
                                {201, handle_object("b", "8")},
                                {409, R"({"kind":"Status","reason":"AlreadyExists"})"}})});
    const auto store = open(server);
    const Query query = Key(HandleKey{"a"});
    const std::vector<Write> writes = {write(Op::kCreate, handle("b")),
                                       write(Op::kCreate, handle("c"), {}, 1)};

    const Exchanged got = store->exchange({&query, 1}, writes, soon());

    EXPECT_TRUE(got.found.at(0));
    EXPECT_EQ(got.written.at(0)->version, "8");
    EXPECT_EQ(got.written.at(1).error().kind(), ErrorKind::kExists);
}

TEST_F(KubernetesStore, FollowsThePagesOfAListAndStartsAnewWhenTheTokenExpires)
{
    const auto page = [](const std::string &items, const std::string &next) {
        return R"({"metadata":{"continue":")" + next + R"("},"items":[)" + items + "]}";
    };
    HttpServer server(
        {in_turn({{200, page(handle_object("a", "1"), "t=1")},
                  {200, page(handle_object("b", "2"), "t2")},
                  {410, R"({"kind":"Status","reason":"Expired","message":"too old"})"},
                  {200, page(handle_object("a", "1") + "," + handle_object("c", "3"), "")}})});
    const auto store = open(server);
    const Query list = ListHandles{};

    const auto found = store->read({&list, 1}, soon());

    ASSERT_TRUE(found[0]) << found[0].error().what();
    EXPECT_EQ(found[0]->size(), 2U);
    const std::string path = std::string(kV1) + "ipamhandles";
    EXPECT_EQ(test::target_of(server.requests().at(1)), path + "?limit=500&continue=t%3D1");
    EXPECT_EQ(test::target_of(server.requests().at(3)), path);
}

TEST_F(KubernetesStore, FinishesADeletionOfExactlyWhatItRead)
{
    HttpServer server({in_turn({{200, handle_object("a", "7", "true")}, {200, "{}"}})});
    const auto store = open(server);

    const auto found = get<Handle>(*store, HandleKey{"a"}, soon());

    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind(), ErrorKind::kNotFound);
    const std::string request = server.requests().at(1);
    EXPECT_TRUE(request.starts_with("DELETE " + std::string(kV1) + "ipamhandles/a "));
    EXPECT_TRUE(request.ends_with(R"("preconditions":{"resourceVersion":"7","uid":"u-a"}})"));
}

TEST_F(KubernetesStore, SendsAStageTogetherAndStopsBehindAFailure)
{
    HttpServer server({together(
        {{201, handle_object("a", "7")}, {409, R"({"kind":"Status","reason":"AlreadyExists"})"}})});
    const auto store = open(server);
    const std::vector<Write> writes{write(Op::kUpdate, handle("late"), {"9", "u"}, 4),
                                    write(Op::kCreate, handle("a")),
                                    write(Op::kCreate, handle("b"))};

    const auto written = store->commit(writes, soon());

    EXPECT_EQ(written[0].error().kind(), ErrorKind::kNotAttempted);
    EXPECT_EQ(written[1]->version, "7");
    EXPECT_EQ(written[2].error().kind(), ErrorKind::kExists);
    EXPECT_EQ(server.requests().size(), 2U);
    EXPECT_TRUE(server.requests()[0].starts_with("POST " + std::string(kV1) + "ipamhandles "));
}

TEST_F(KubernetesStore, NeverWritesWithoutComparing)
{
    HttpServer server({in_turn({})});
    const auto store = open(server);
    const std::vector<Write> writes{write(Op::kUpdate, handle("a")),
                                    write(Op::kDelete, handle("b")),
                                    write(Op::kCreate, handle("c"))};

    const auto written = store->commit(writes, soon());

    EXPECT_EQ(written[0].error().kind(), ErrorKind::kInvalidInput);
    EXPECT_EQ(written[1].error().kind(), ErrorKind::kInvalidInput);
    EXPECT_EQ(written[2].error().kind(), ErrorKind::kNotAttempted);
    EXPECT_TRUE(server.requests().empty());
}

TEST_F(KubernetesStore, SaysWhenItCannotKnowWhetherAWriteTookEffect)
{
    const HttpServer::Script lost = [](HttpPeer &peer) { peer.request(); };
    const HttpServer::Script half = [](HttpPeer &peer) {
        peer.request();
        peer.write("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{");
    };
    const HttpServer::Script garbage = [](HttpPeer &peer) {
        peer.request();
        peer.write("?????\r\n\r\n");
    };
    HttpServer server({lost, half, garbage, in_turn({{500, "etcdserver: request timed out"}}),
                       in_turn({{201, "no JSON"}})});
    for (int i = 0; i < 5; ++i) {
        const Write create = write(Op::kCreate, handle("a"));
        const auto written = open(server)->commit({&create, 1}, soon());
        ASSERT_FALSE(written[0]) << i;
        EXPECT_EQ(written[0].error().kind(), ErrorKind::kUnknownOutcome)
            << i << written[0].error().what();
    }
    EXPECT_EQ(server.requests().size(), 5U) << "nothing was sent twice";
}

TEST_F(KubernetesStore, TellsATypeThatIsNotServedFromAnObjectThatIsNotThere)
{
    HttpServer server({in_turn({{404, kNoSuchType}})});

    const auto found = get<Handle>(*open(server), HandleKey{"a"}, soon());

    EXPECT_EQ(found.error().kind(), ErrorKind::kUnsupported);
}

TEST_F(KubernetesStore, AsksOnceWhichGroupIsServedAndKeepsTheAnswer)
{
    const std::string group = "projectcalico.org/v3";
    HttpServer server(
        {in_turn({{200, R"({"groups":[{"name":"apps"},{"name":"projectcalico.org"}]})"},
                  {200, handle_object("a", "7", "false", group)}}),
         in_turn({{200, handle_object("a", "8", "false", group)}})});

    const auto first = get<Handle>(*open(server, ApiGroup::kDiscover), HandleKey{"a"}, soon());
    const auto second = get<Handle>(*open(server, ApiGroup::kDiscover), HandleKey{"a"}, soon());

    EXPECT_EQ(first->revision.version, "7");
    EXPECT_EQ(second->revision.version, "8");
    ASSERT_EQ(server.requests().size(), 3U);
    EXPECT_EQ(test::target_of(server.requests()[0]), "/apis");
    EXPECT_EQ(test::target_of(server.requests()[2]), "/apis/projectcalico.org/v3/ipamhandles/a");
}

TEST_F(KubernetesStore, AsksAgainWhenTheKeptAnswerIsWrong)
{
    const std::string both =
        R"({"groups":[{"name":"projectcalico.org"},{"name":"crd.projectcalico.org"}]})";
    HttpServer server(
        {in_turn({{200, R"({"groups":[{"name":"projectcalico.org"}]})"}, {404, kGone}}),
         in_turn({{404, kNoSuchType}, {200, both}, {200, handle_object("a", "7")}})});
    get<Handle>(*open(server, ApiGroup::kDiscover), HandleKey{"a"}, soon()).has_value();

    const auto found = get<Handle>(*open(server, ApiGroup::kDiscover), HandleKey{"a"}, soon());

    ASSERT_TRUE(found) << found.error().what();
    EXPECT_EQ(test::target_of(server.requests().back()), std::string(kV1) + "ipamhandles/a");
}

TEST_F(KubernetesStore, FailsWhenItCannotLearnTheGroup)
{
    HttpServer server(
        {[](HttpPeer &peer) { peer.request(); }, [](HttpPeer &peer) { peer.request(); }});

    const auto found = get<Handle>(*open(server, ApiGroup::kDiscover), HandleKey{"a"}, soon());

    EXPECT_EQ(found.error().kind(), ErrorKind::kTryAgain);
}

TEST_F(KubernetesStore, WritesEndpointsIntoThePodsStatus)
{
    Endpoint endpoint;
    endpoint.ns = "shop";
    endpoint.pod = "cart-1";
    endpoint.name = "node--a-k8s-cart--1-eth0";
    endpoint.container_id = "c1";
    endpoint.ip_networks = {"10.80.3.9/32", "fd80::9/128"};
    const std::string pod = R"({"metadata":{"name":"cart-1","uid":"u","resourceVersion":"8"}})";
    HttpServer server({in_turn({{200, pod}, {200, pod}, {404, kGone}})});
    const auto store = open(server);

    const Write create = write(Op::kCreate, endpoint, {.version = "", .uid = "u"});
    const Write remove = write(Op::kDelete, endpoint, {.version = "7", .uid = "u"});
    const auto created = store->commit({&create, 1}, soon());
    const auto removed = store->commit({&remove, 1}, soon());
    const auto again = store->commit({&remove, 1}, soon());

    EXPECT_EQ(created[0]->version, "8");
    EXPECT_TRUE(removed[0]);
    EXPECT_EQ(again[0].error().kind(), ErrorKind::kNotFound);
    const std::string first = server.requests().at(0);
    EXPECT_TRUE(first.starts_with("PATCH /api/v1/namespaces/shop/pods/cart-1/status "));
    EXPECT_NE(first.find("Content-Type: application/strategic-merge-patch+json\r\n"),
              std::string::npos);
    EXPECT_TRUE(first.ends_with(R"({"metadata":{"annotations":{)"
                                R"("cni.projectcalico.org/containerID":"c1",)"
                                R"("cni.projectcalico.org/podIP":"10.80.3.9/32",)"
                                R"("cni.projectcalico.org/podIPs":"10.80.3.9/32,fd80::9/128"},)"
                                R"("uid":"u"}})"))
        << first;
    EXPECT_TRUE(server.requests().at(1).ends_with(
        R"({"metadata":{"annotations":{"cni.projectcalico.org/podIP":"",)"
        R"("cni.projectcalico.org/podIPs":""},"resourceVersion":"7","uid":"u"}})"));
}

TEST_F(KubernetesStore, WritesNothingOfANodeButItsAnnotations)
{
    HttpServer server(
        {together({{200, R"({"metadata":{"name":"node-a","resourceVersion":"8"}})"}})});
    Node node;
    node.name = "node-a";
    node.labels = {{"zone", "z1"}};
    node.annotations = {{"projectcalico.org/IPv4IPIPTunnelAddr", "10.80.3.1"}};
    const auto store = open(server);

    const Write update = write(Op::kUpdate, node, {.version = "7", .uid = "u"});
    const Write create = write(Op::kCreate, node, {});

    EXPECT_TRUE(store->commit({&update, 1}, soon())[0]);
    EXPECT_EQ(store->commit({&create, 1}, soon())[0].error().kind(), ErrorKind::kUnsupported);
    const std::string request = server.requests().at(0);
    EXPECT_TRUE(request.starts_with("PATCH /api/v1/nodes/node-a/status ")) << request;
    EXPECT_TRUE(request.ends_with(
        R"({"metadata":{"annotations":{"projectcalico.org/IPv4IPIPTunnelAddr":"10.80.3.1"},)"
        R"("resourceVersion":"7","uid":"u"}})"))
        << request;
}

TEST_F(KubernetesStore, ReadsKubernetesOwnObjectsWithoutCaringForTheGroup)
{
    HttpServer server({together(
        {{200, R"({"metadata":{"name":"cart","namespace":"shop","resourceVersion":"3"}})"},
         {200, R"({"metadata":{"name":"shop","labels":{"a":"b"}}})"},
         {200, R"({"metadata":{"name":"node-a","labels":{"zone":"z1"},"annotations":{)"
               R"("projectcalico.org/labels":"{\"rack\":\"r7\"}"}}})"}})});
    const std::vector<Query> queries{Key(PodKey{"shop", "cart"}), Key(NamespaceKey{"shop"}),
                                     Key(NodeKey{"node-a"})};

    auto found = open(server, ApiGroup::kDiscover)->read(queries, soon());

    EXPECT_EQ(one<kube::Pod>(std::move(found[0]))->revision.version, "3");
    EXPECT_EQ(one<kube::Namespace>(std::move(found[1]))->document.meta.labels.at("a"), "b");
    EXPECT_EQ(one<Node>(std::move(found[2]))->document.labels,
              (StringMap{{"rack", "r7"}, {"zone", "z1"}}));
}

TEST_F(KubernetesStore, HasNoPlaceForProfilesAndNoListOfEndpoints)
{
    HttpServer server({in_turn({})});
    const std::vector<Query> queries{Key(ProfileKey{"p"}), ListEndpoints{"", ""},
                                     Key(EndpointKey{"ns", "e"})};

    for (const auto &found : open(server)->read(queries, soon()))
        EXPECT_EQ(found.error().kind(), ErrorKind::kUnsupported);
    EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace tortie::store
