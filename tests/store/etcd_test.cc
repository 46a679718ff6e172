// SPDX-License-Identifier: Apache-2.0
#include "store/etcd.h"

#include "base/base64.h"
#include "conformance.h"
#include "etcd_server.h"
#include "store/codec_gateway.h"
#include "store/names.h"

namespace tortie::store {
namespace {

// One server for all cases of the program, and emptied for each: it takes a second to start.
EtcdServer &plain_server()
{
    static EtcdServer server(EtcdServer::Security::kNone);
    return server;
}

class EtcdPlace : public Place {
public:
    explicit EtcdPlace(EtcdSettings settings) : settings_(std::move(settings))
    {
        const std::string all = R"({"key":")" + base64_encode("/calico") + R"(","range_end":")" +
                                base64_encode("/calicp") + R"("})";
        etcd_request(settings_, "/v3/kv/deleterange", all);
        ClusterInformation information;
        information.datastore_ready = true;
        const Write write = {Op::kCreate, ClusterInformationKey{}, information, {}, 0};
        EXPECT_TRUE(
            all_written(open()->commit({&write, 1}, Deadline::in(std::chrono::seconds(20)))));
    }

    std::unique_ptr<Store> open() override { return open_etcd(settings_).value(); }
    bool spoil(const Key &key) override
    {
        etcd_request(settings_, "/v3/kv/put",
                     R"({"key":")" + base64_encode(etcd_key(key).value()) + R"(","value":"e30="})");
        return true;
    }

private:
    EtcdSettings settings_;
};

std::unique_ptr<Place> etcd_place(std::string &missing)
{
    missing = EtcdServer::missing();
    if (!missing.empty())
        return nullptr;
    return std::make_unique<EtcdPlace>(plain_server().settings());
}

INSTANTIATE_TEST_SUITE_P(Etcd, Conformance, testing::Values(PlaceMaker{"etcd", &etcd_place}));

class Etcd : public testing::Test {
protected:
    void SetUp() override
    {
        if (const std::string missing = EtcdServer::missing(); !missing.empty())
            GTEST_SKIP() << missing;
    }

    static Found list(const EtcdSettings &settings)
    {
        const std::unique_ptr<Store> store = open_etcd(settings).value();
        const Query query = ListHandles{};
        return store->read({&query, 1}, Deadline::in(std::chrono::seconds(20))).at(0);
    }
};

TEST_F(Etcd, IsFoundBehindEndpointsThatDoNotAnswer)
{
    EtcdSettings settings = plain_server().settings();
    settings.endpoints = "http://127.0.0.1:1, http://127.0.0.1:2, " + settings.endpoints;
    const auto begin = std::chrono::steady_clock::now();

    const Found found = list(settings);

    EXPECT_TRUE(found) << found.error().what();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(Etcd, ThatCannotBeReachedIsTriedUntilTheDeadlineOnly)
{
    EtcdSettings settings = plain_server().settings();
    settings.endpoints = "http://127.0.0.1:1";

    const Found found = list(settings);

    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind(), ErrorKind::kTryAgain);
}

TEST_F(Etcd, ReadsTheKubeVirtSettingFromTheResource)
{
    EtcdPlace place(plain_server().settings());
    const std::unique_ptr<Store> store = place.open();
    const Deadline deadline = Deadline::in(std::chrono::seconds(20));
    const Write write = {Op::kCreate, IpamConfigKey{}, IpamConfig(), {}, 0};
    ASSERT_TRUE(all_written(store->commit({&write, 1}, deadline)));
    etcd_request(plain_server().settings(), "/v3/kv/put",
                 R"({"key":")" + base64_encode(kEtcdIpamConfiguration) + R"(","value":")" +
                     base64_encode(R"({"spec":{"kubeVirtVMAddressPersistence":"Disabled"}})") +
                     R"("})");

    const auto config = get<IpamConfig>(*store, IpamConfigKey{}, deadline);

    ASSERT_TRUE(config) << config.error().what();
    EXPECT_FALSE(config->document.persist_vm_addresses);
}

TEST_F(Etcd, WantsACertificateWhereItSaysSo)
{
    const EtcdServer server(EtcdServer::Security::kCertificates);
    EtcdSettings stranger = server.settings();
    stranger.cert_file.clear();
    stranger.key_file.clear();

    const Found allowed = list(server.settings());
    const Found refused = list(stranger);

    EXPECT_TRUE(allowed) << allowed.error().what();
    EXPECT_FALSE(refused);
}

TEST_F(Etcd, KnowsUsers)
{
    const EtcdServer server(EtcdServer::Security::kUsers);
    EtcdSettings guest = server.settings();
    guest.username = guest.password = "guest";
    EtcdSettings wrong = server.settings();
    wrong.password = "not-it";
    EtcdSettings nobody = server.settings();
    nobody.username.clear();

    const Found allowed = list(server.settings());
    const Found denied = list(guest);
    const Found refused = list(wrong);
    const Found unnamed = list(nobody);

    EXPECT_TRUE(allowed) << allowed.error().what();
    ASSERT_FALSE(denied);
    EXPECT_EQ(denied.error().what(),
              "etcd https://127.0.0.1:2379: connection is unauthorized: etcdserver: permission "
              "denied");
    ASSERT_FALSE(refused);
    EXPECT_EQ(
        refused.error().what(),
        "log in: etcd https://127.0.0.1:2379: etcdserver: authentication failed, invalid user "
        "ID or password");
    ASSERT_FALSE(unnamed);
    EXPECT_EQ(unnamed.error().what(),
              "etcd https://127.0.0.1:2379: etcdserver: user name is empty: etcd's JSON gateway "
              "takes no user from a client certificate: give ETCD_USERNAME and ETCD_PASSWORD");
}

TEST_F(Etcd, SaysThatItTakesNoUserFromACertificate)
{
    const EtcdServer server(EtcdServer::Security::kBoth);

    const Found refused = list(server.settings());

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what(),
              "log in: etcd https://127.0.0.1:2379: CommonName of client sending a request against "
              "gateway will be ignored and not used as expected: etcd's JSON gateway takes no user "
              "from a client certificate: give one without a common name");
}

TEST_F(Etcd, SaysThatItsGatewayIsOff)
{
    const EtcdServer server(EtcdServer::Security::kNone, {"--enable-grpc-gateway=false"});

    const Found found = list(server.settings());

    ASSERT_FALSE(found);
    EXPECT_EQ(
        found.error().what(),
        "etcd http://127.0.0.1:2379: does not serve /v3/kv: it is older than 3.4, or its JSON "
        "gateway is switched off (--enable-grpc-gateway=false)");
}

TEST_F(Etcd, ReadsMoreThanOneTransactionTakes)
{
    EtcdPlace place(plain_server().settings());
    std::vector<Query> queries;
    for (int i = 0; i < 300; ++i)
        queries.push_back(Key(HandleKey{"net." + std::to_string(i)}));

    const auto found = place.open()->read(queries, Deadline::in(std::chrono::seconds(20)));

    ASSERT_EQ(found.size(), queries.size());
    EXPECT_EQ(found.back().error().kind(), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace tortie::store
