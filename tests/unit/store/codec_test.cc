// SPDX-License-Identifier: Apache-2.0
//
// What Calico's programs wrote is read and written back unchanged.
#include "store/codec.h"

#include <gtest/gtest.h>

#include "samples.h"
#include "store/names.h"

namespace tortie::store {
namespace {

using nlohmann::json;

Key key_of_object(const json &object)
{
    const json &spec = object["spec"];
    const std::string kind = object["kind"];
    if (kind == "IPAMBlock")
        return BlockKey{cidr(spec["cidr"])};
    if (kind == "BlockAffinity")
        return AffinityKey{spec["node"], cidr(spec["cidr"]), AffinityType::kHost};
    if (kind == "IPAMHandle")
        return HandleKey{spec["handleID"]};
    if (kind == "IPPool")
        return PoolKey{object["metadata"]["name"]};
    if (kind == "IPReservation")
        return ReservationKey{object["metadata"]["name"]};
    if (kind == "ClusterInformation")
        return ClusterInformationKey{};
    return IpamConfigKey{};
}

json written_back(const json &object, Spelling spelling)
{
    const Result<Stored> stored = decode(key_of_object(object), object.dump(), spelling);
    EXPECT_TRUE(stored) << stored.error().what();
    if (!stored)
        return {};
    const Result<std::string> text = encode(stored->document, spelling, stored->revision);
    EXPECT_TRUE(text);
    return json::parse(*text);
}

TEST(Codec, WritesObjectsOfCrdV1BackAsTheyWere)
{
    for (json object : samples("crd_v1")) {
        // The allocator's documents always carry the annotation; people's may not.
        const json written = written_back(object, Spelling::kCrdV1);
        if (object["kind"] == "IPAMConfig")
            object["metadata"]["annotations"]["projectcalico.org/metadata"] = "{}";
        EXPECT_EQ(written, object);
    }
}

TEST(Codec, WritesObjectsOfCrdV3BackAsTheyWere)
{
    for (json object : samples("crd_v3")) {
        const json written = written_back(object, Spelling::kCrdV3);
        if (object["kind"] == "IPAMConfiguration")
            object["spec"]["kubeVirtVMAddressPersistence"] = "Enabled";  // said when written
        EXPECT_EQ(written, object);
    }
}

TEST(Codec, WritesValuesOfEtcdBackAsTheyWere)
{
    const json all = samples("etcd");
    ASSERT_FALSE(all.empty());
    for (const auto &[path, value] : all.items()) {
        const Key key = key_from_etcd(path).value();
        const Result<Stored> stored = decode(key, value.dump(), Spelling::kEtcd);
        ASSERT_TRUE(stored) << path << ": " << stored.error().what();

        json expected = value;
        if (expected.contains("attributes") && expected["attributes"].is_null())
            expected["attributes"] = json::array();
        if (std::holds_alternative<IpamConfigKey>(key))
            expected["kubeVirtVMAddressPersistence"] = "Enabled";
        EXPECT_EQ(json::parse(encode(stored->document, Spelling::kEtcd).value()), expected) << path;
    }
}

TEST(Codec, ReadsABlock)
{
    const json object = samples_of("crd_v1", "IPAMBlock").at(0);

    const Stored stored =
        decode(BlockKey{cidr("10.80.3.8/29")}, object.dump(), Spelling::kCrdV1).value();

    const auto &block = std::get<Block>(stored.document);
    EXPECT_EQ(stored.revision.version, "48211");
    EXPECT_EQ(block.affinity, "host:node-a");
    EXPECT_EQ(block.claim_time, "2026-08-22T10:11:12Z");
    EXPECT_EQ(block.allocations.at(0), std::nullopt);
    EXPECT_EQ(block.allocations.at(4), 2U);
    EXPECT_EQ(block.unallocated, (std::vector<std::uint32_t>{2, 5, 6, 7, 0}));
    EXPECT_EQ(block.attributes.at(1).handle_id, "k8s-pod-network.c1f0aa");
    EXPECT_EQ(block.attributes.at(1).secondary->at("pod"), "cart-7d9");
    EXPECT_EQ(block.attributes.at(2).released_at, "2026-08-22T10:16:40Z");
    EXPECT_EQ(block.attributes.at(2).handle_id, std::nullopt);
    EXPECT_EQ(block.sequence_number, 1787393472000000009);
    EXPECT_EQ(block.sequence_for_allocation.at(3), 1787393472000000007);
    EXPECT_FALSE(block.deleted);
}

TEST(Codec, ReadsRevisionAndUidOfAnObject)
{
    const json object = samples_of("crd_v1", "IPAMHandle").at(0);

    const Stored stored =
        decode(HandleKey{"k8s-pod-network.c1f0aa"}, object.dump(), Spelling::kCrdV1).value();

    EXPECT_EQ(stored.revision.version, "48209");
    EXPECT_EQ(stored.revision.uid, "5d0e6f0a-9b1c-4c53-8a77-2f1e8f0f6b11");
    const auto &handle = std::get<Handle>(stored.document);
    EXPECT_EQ(handle.blocks.at("fd00:80:0:3::40/122"), 1);
}

// calico-v3.32.1.md section 8.
TEST(Codec, WritesTheDefaultConfigurationAsCalicoCreatesIt)
{
    const IpamConfig config;
    EXPECT_EQ(json::parse(encode(config, Spelling::kCrdV1).value()), json::parse(R"({
        "kind":"IPAMConfig","apiVersion":"crd.projectcalico.org/v1",
        "metadata":{"name":"default","annotations":{"projectcalico.org/metadata":"{}"}},
        "spec":{"strictAffinity":false,"autoAllocateBlocks":true,
                "kubeVirtVMAddressPersistence":"Enabled"}})"));
    EXPECT_EQ(json::parse(encode(config, Spelling::kCrdV3).value()), json::parse(R"({
        "kind":"IPAMConfiguration","apiVersion":"projectcalico.org/v3",
        "metadata":{"name":"default"},
        "spec":{"strictAffinity":false,"autoAllocateBlocks":true,
                "kubeVirtVMAddressPersistence":"Enabled"}})"));
    EXPECT_EQ(json::parse(encode(config, Spelling::kEtcd).value()),
              json::parse(R"({"auto_allocate_blocks":true,
                              "kubeVirtVMAddressPersistence":"Enabled"})"));
}

TEST(Codec, ReadsOmittedFlagsOfEtcdAsFalse)
{
    const Stored stored =
        decode(IpamConfigKey{}, R"({"maxBlocksPerHost":3})", Spelling::kEtcd).value();

    const auto &config = std::get<IpamConfig>(stored.document);
    EXPECT_FALSE(config.auto_allocate_blocks);
    EXPECT_FALSE(config.strict_affinity);
    EXPECT_EQ(config.max_blocks_per_host, 3);
    EXPECT_TRUE(config.persist_vm_addresses);
}

TEST(Codec, TakesTheKubeVirtSettingFromTheResource)
{
    IpamConfig config;
    read_vm_persistence(config, R"({"spec":{"kubeVirtVMAddressPersistence":"Disabled"}})");
    EXPECT_FALSE(config.persist_vm_addresses);
    read_vm_persistence(config, R"({"spec":7)");
    EXPECT_FALSE(config.persist_vm_addresses);
    read_vm_persistence(config, R"({"spec":{}})");
    EXPECT_TRUE(config.persist_vm_addresses);
}

Affinity affinity_of(const std::string &text, Spelling spelling)
{
    const Result<Stored> stored =
        decode(AffinityKey{"node-a", cidr("10.80.3.8/29"), AffinityType::kHost}, text, spelling);
    EXPECT_TRUE(stored) << stored.error().what();
    return stored ? std::get<Affinity>(stored->document) : Affinity();
}

// Spec 4.1, the end, and 3.7.
TEST(Codec, ReadsAffinitiesOfOldReleases)
{
    const Affinity old = affinity_of(R"({"metadata":{"name":"node-a-10-80-3-8-29"},
        "spec":{"state":"","node":"node-a","cidr":"10.80.3.8/29","deleted":""}})",
                                     Spelling::kCrdV1);
    EXPECT_EQ(old.state, AffinityState::kConfirmed);
    EXPECT_EQ(old.type, AffinityType::kHost);
    EXPECT_FALSE(old.deleted);

    EXPECT_EQ(affinity_of("", Spelling::kEtcd).state, AffinityState::kConfirmed);
    EXPECT_EQ(affinity_of("{}", Spelling::kEtcd).host, "node-a");
}

TEST(Codec, KeepsTheWordOfAStateItDoesNotKnow)
{
    const Affinity affinity =
        affinity_of(R"({"state":"draining","deleted":false})", Spelling::kEtcd);

    EXPECT_EQ(affinity.state, AffinityState::kOther);
    EXPECT_EQ(json::parse(encode(affinity, Spelling::kEtcd).value())["state"], "draining");
}

TEST(Codec, ReadsABlockOfAnOldRelease)
{
    const Stored stored = decode(BlockKey{cidr("10.80.3.8/31")}, R"({"cidr":"10.80.3.8/31",
        "affinity":null,"hostAffinity":"node-a","allocations":[0,null],"unallocated":[1],
        "attributes":[{"handle_id":null,"secondary":null}]})",
                                 Spelling::kEtcd)
                              .value();

    const auto &block = std::get<Block>(stored.document);
    EXPECT_EQ(block.affinity, "");
    EXPECT_EQ(block.attributes.at(0).handle_id, std::nullopt);
    EXPECT_EQ(block.sequence_number, 0);
    const json written = json::parse(encode(block, Spelling::kEtcd).value());
    EXPECT_EQ(written["hostAffinity"], "node-a");
    EXPECT_EQ(written["attributes"], json::parse(R"([{"handle_id":null,"secondary":null}])"));
}

TEST(Codec, KeepsAnEmptyOwnerApartFromNone)
{
    const Stored stored = decode(BlockKey{cidr("10.80.3.8/31")}, R"({"cidr":"10.80.3.8/31",
        "allocations":[0,null],"unallocated":[1],"attributes":[{"secondary":{}}]})",
                                 Spelling::kEtcd)
                              .value();

    EXPECT_EQ(std::get<Block>(stored.document).attributes.at(0).secondary, StringMap());
}

// Spec 8.1 number 14: a later release's fields survive our update.
TEST(Codec, CarriesThroughWhatItDoesNotKnow)
{
    json object = samples_of("crd_v1", "IPAMBlock").at(0);
    object["spec"]["coolness"] = {{"level", 9223372036854775807}};
    object["spec"]["attributes"][0]["colour"] = nullptr;
    object["metadata"]["labels"] = {{"team", "shop"}};
    object["metadata"]["finalizers"] = {"example.org/keep"};
    object["metadata"]["annotations"]["note"] = "kept";
    object["status"] = {{"phase", "new"}};

    EXPECT_EQ(written_back(object, Spelling::kCrdV1), object);
}

TEST(Codec, LeavesOutWhatTheServerOwns)
{
    json object = samples_of("crd_v3", "IPAMBlock").at(0);
    const json plain = object;
    object["metadata"]["uid"] = "u";
    object["metadata"]["generation"] = 3;
    object["metadata"]["creationTimestamp"] = "2026-08-22T10:11:12Z";
    object["metadata"]["managedFields"] = {{{"manager", "calico"}}};

    EXPECT_EQ(written_back(object, Spelling::kCrdV3), plain);
}

TEST(Codec, ReadsWhetherAPoolMayBeUsed)
{
    json object = samples_of("crd_v1", "IPPool").at(0);
    const auto pool = [&] {
        return std::get<Pool>(
            decode(PoolKey{"lab-v4"}, object.dump(), Spelling::kCrdV1).value().document);
    };

    EXPECT_TRUE(pool().allocatable);
    EXPECT_FALSE(pool().deleting);
    EXPECT_EQ(pool().namespace_selector, "team in {'shop','ops'}");
    object["status"]["conditions"][0]["status"] = "False";
    object["metadata"]["deletionTimestamp"] = "2026-08-22T10:11:12Z";
    object["spec"]["assignmentMode"] = "Manual";
    EXPECT_FALSE(pool().allocatable);
    EXPECT_TRUE(pool().deleting);
    EXPECT_TRUE(pool().manual);
}

// calico-cni.md 3.6.
TEST(Codec, WritesAnEndpointAsCalicoDoes)
{
    const std::string text = R"({"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3",
        "metadata":{"name":"node--a-k8s-cart-eth0","generateName":"cart-","namespace":"shop",
          "uid":"0c6a6f0a-9b1c-4c53-8a77-2f1e8f0f6b11","creationTimestamp":"2026-08-01T00:00:00Z",
          "labels":{"projectcalico.org/namespace":"shop","projectcalico.org/orchestrator":"k8s"}},
        "spec":{"orchestrator":"k8s","node":"node-a","containerID":"c1f0aa","pod":"cart",
          "endpoint":"eth0","serviceAccountName":"default","ipNetworks":["10.80.3.11/32"],
          "ipNATs":[{"internalIP":"10.80.3.11","externalIP":"192.0.2.1"}],
          "profiles":["kns.shop","ksa.shop.default"],"interfaceName":"cali123","mac":"aa:bb",
          "ports":[{"name":"","protocol":"TCP","port":80,"hostPort":8080,"hostIP":""},
                   {"name":"x","protocol":132,"port":81,"hostPort":0,"hostIP":""}],
          "qosControls":{"ingressBandwidth":1000000}}})";

    const Stored stored =
        decode(EndpointKey{"shop", "node--a-k8s-cart-eth0"}, text, Spelling::kEtcd).value();

    const auto &endpoint = std::get<Endpoint>(stored.document);
    EXPECT_EQ(endpoint.ports.at(0).host_port, 8080);
    EXPECT_EQ(endpoint.ports.at(1).protocol, "132");
    EXPECT_EQ(json::parse(encode(endpoint, Spelling::kEtcd).value()), json::parse(text));
}

TEST(Codec, GivesANewResourceItsBirthOnce)
{
    Document profile = Profile{"net1", R"({"labelsToApply":{"net1":""}})", {}};

    set_birth(profile, "u1", "2026-08-01T00:00:00Z");
    set_birth(profile, "u2", "2027-01-01T00:00:00Z");

    EXPECT_EQ(json::parse(encode(profile, Spelling::kEtcd).value()), json::parse(R"({
        "kind":"Profile","apiVersion":"projectcalico.org/v3",
        "metadata":{"name":"net1","uid":"u1","creationTimestamp":"2026-08-01T00:00:00Z"},
        "spec":{"labelsToApply":{"net1":""}}})"));
}

TEST(Codec, MergesTheLabelsOfANodeBelowKubernetesOwn)
{
    kube::Node node;
    node.meta.name = "node-a";
    node.meta.labels = {{"zone", "z1"}};
    node.meta.annotations = {{"projectcalico.org/labels", R"({"rack":"r7","zone":"old"})"}};

    EXPECT_EQ(node_of(node).labels, (StringMap{{"rack", "r7"}, {"zone", "z1"}}));

    node.meta.annotations["projectcalico.org/labels"] = "[1]";
    EXPECT_EQ(node_of(node).labels, (StringMap{{"zone", "z1"}}));
}

TEST(Codec, LeavesUnreadableItemsOutOfAPage)
{
    json good = samples_of("crd_v1", "BlockAffinity").at(0);
    json misnamed = good;
    misnamed["metadata"]["name"] = "node-b-10-80-3-8-29";
    json list = {{"metadata", {{"continue", "next"}}}};
    list["items"] = {good, misnamed, 7, json::object()};

    const Page page = decode_page(ListKind::kAffinities, list.dump(), Spelling::kCrdV1).value();

    ASSERT_EQ(page.items.size(), 1U);
    EXPECT_EQ(page.items[0].revision.version, "48190");
    EXPECT_EQ(page.next, "next");
    EXPECT_FALSE(decode_page(ListKind::kBlocks, "[]", Spelling::kCrdV1));
}

}  // namespace
}  // namespace tortie::store
