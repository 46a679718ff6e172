// SPDX-License-Identifier: Apache-2.0
//
// Single packets of a flow that is in the table: the whole packet that comes out, and every
// counter.
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include <memory>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "prog/packet.h"
#include "prog/portmap_object.h"

namespace tortie::test {
namespace {

constexpr std::uint16_t kMtu = 1500;

class PortmapPacket : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        object_.emplace();
        ASSERT_TRUE(object_->loaded());
        object_->state().interval = 0x7fffffff;
        object_->add_uplink(1);
        object_->add_pod(pod().address, 1);
        for (const std::uint8_t l4 : kTransports) {
            const Mapping mapping = {node().address, 8080, l4, pod().address, 80};
            object_->publish(mapping);
            object_->insert({.l4_proto = l4,
                             .client = client().address,
                             .client_port = client().port,
                             .mapping = mapping,
                             .mtu = kMtu});
        }
        before_ = object_->counters();
    }

    bool v6() const { return GetParam(); }
    Endpoint client() const { return {v6() ? "2001:db8:1::2" : "192.0.2.2", 40000}; }
    Endpoint node() const { return {v6() ? "2001:db8:1::1" : "192.0.2.1", 8080}; }
    Endpoint pod() const { return {v6() ? "2001:db8:2::2" : "10.65.0.2", 80}; }

    Shape to_node(std::uint8_t l4) const
    {
        return {.from = client(), .to = node(), .l4_proto = l4};
    }
    Shape to_pod(std::uint8_t l4) const
    {
        return {.from = client(), .to = pod(), .l4_proto = l4, .ttl = 63};
    }
    Shape from_pod(std::uint8_t l4) const
    {
        return {.from = pod(), .to = client(), .l4_proto = l4};
    }
    Shape from_node(std::uint8_t l4) const
    {
        return {.from = node(), .to = client(), .l4_proto = l4, .ttl = 63};
    }

    Verdict ingress(const Bytes &bytes, std::uint32_t gso_bytes = 0) const
    {
        return object_->run(object_->skeleton().progs.tt_pm_ingress, bytes, gso_bytes == 0 ? 0 : 1,
                            gso_bytes);
    }
    Verdict reply(const Bytes &bytes) const
    {
        return object_->run(object_->skeleton().progs.tt_pm_reply, bytes);
    }

    // Exactly these counters went up by one since the last call.
    void expect_counted(const std::vector<pm_count> &expected)
    {
        const std::vector<std::uint64_t> after = object_->counters();
        std::vector<std::uint64_t> should = before_;
        for (const pm_count what : expected)
            ++should.at(what);
        for (std::size_t what = 0; what < after.size(); ++what)
            EXPECT_EQ(after[what], should[what]) << kPmCountText[what];
        before_ = after;
    }

    void expect_left(const Verdict &verdict, const Bytes &sent, const std::vector<pm_count> &why)
    {
        EXPECT_EQ(verdict.action, TC_ACT_UNSPEC);
        EXPECT_EQ(verdict.packet, sent);
        expect_counted(why);
    }

    std::optional<PortmapObject> object_;
    std::vector<std::uint64_t> before_;
};

TEST_P(PortmapPacket, GoesToThePodWithItsAddress)
{
    for (const std::uint8_t l4 : kTransports) {
        const Verdict got = ingress(packet(to_node(l4)));

        EXPECT_EQ(got.action, TC_ACT_REDIRECT);
        EXPECT_EQ(got.packet, packet(to_pod(l4)));
        expect_counted({TORTIE_PM_FORWARDED});
    }
}

TEST_P(PortmapPacket, GoesBackWithTheNodesAddress)
{
    for (const std::uint8_t l4 : kTransports) {
        const Verdict got = reply(packet(from_pod(l4)));

        EXPECT_EQ(got.action, TC_ACT_REDIRECT);
        EXPECT_EQ(got.packet, packet(from_node(l4)));
        expect_counted({TORTIE_PM_REPLIED});
    }
}

TEST_P(PortmapPacket, KeepsAnAbsentUdpChecksumAbsent)
{
    Shape sent = to_node(IPPROTO_UDP);
    Shape expected = to_pod(IPPROTO_UDP);
    sent.udp_checksum = expected.udp_checksum = false;

    EXPECT_EQ(ingress(packet(sent)).packet, packet(expected));
}

TEST_P(PortmapPacket, KeepsAWrongChecksumWrong)
{
    Bytes sent = packet(to_node(IPPROTO_UDP));
    sent.back() ^= 0x40;

    const Verdict got = ingress(sent);

    EXPECT_EQ(got.action, TC_ACT_REDIRECT);
    EXPECT_FALSE(sums_are_right(got.packet));
}

TEST_P(PortmapPacket, IsNetfiltersWhenItMayNotBeForwarded)
{
    for (const std::uint8_t ttl : std::initializer_list<std::uint8_t>{0, 1}) {
        Shape in = to_node(IPPROTO_TCP);
        Shape out = from_pod(IPPROTO_TCP);
        in.ttl = out.ttl = ttl;

        expect_left(ingress(packet(in)), packet(in), {TORTIE_PM_TTL});
        expect_left(reply(packet(out)), packet(out), {TORTIE_PM_TTL});
    }
}

TEST_P(PortmapPacket, IsLeftAloneWhenNobodyMappedItsPort)
{
    Shape shape = to_node(IPPROTO_TCP);
    shape.to.port = 8081;

    expect_left(ingress(packet(shape)), packet(shape), {});
}

TEST_P(PortmapPacket, IsNetfiltersWhenTheSwitchIsOff)
{
    object_->state().off = 1;

    expect_left(ingress(packet(to_node(IPPROTO_UDP))), packet(to_node(IPPROTO_UDP)),
                {TORTIE_PM_OFF});
}

TEST_P(PortmapPacket, OfAnotherHostIsLeftAlone)
{
    Bytes sent = packet(to_node(IPPROTO_TCP));
    sent[0] = 0x02;

    expect_left(ingress(sent), sent, {TORTIE_PM_OTHER_HOST});
}

TEST_P(PortmapPacket, CutShortAnywhereIsNetfilters)
{
    // BPF_PROG_TEST_RUN itself refuses what has no whole IP header (since 6.18).
    const std::size_t shortest = v6() ? 14 + 40 : 14 + 20;
    for (const std::uint8_t l4 : kTransports) {
        const Bytes whole = packet(to_node(l4));
        const Bytes back = packet(from_pod(l4));
        for (std::size_t size = shortest; size < whole.size(); ++size) {
            const Bytes in(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
            const Bytes out(back.begin(), back.begin() + static_cast<std::ptrdiff_t>(size));
            expect_left(ingress(in), in, {TORTIE_PM_SHORT});
            expect_left(reply(out), out, {TORTIE_PM_SHORT});
        }
    }
}

TEST_P(PortmapPacket, ThatSaysItEndsInsideItsTcpHeaderIsNetfilters)
{
    const std::size_t l3 = v6() ? 40 : 20;
    for (std::size_t l4 = 4; l4 < 20; ++l4) {
        Bytes sent = packet(to_node(IPPROTO_TCP));
        sent.resize(14 + l3 + l4);
        sent[v6() ? 19 : 17] = static_cast<std::uint8_t>(v6() ? l4 : l3 + l4);

        expect_left(ingress(sent), sent, {TORTIE_PM_SHORT});
    }
}

TEST_P(PortmapPacket, OfTheSmallestDatagramIsCarried)
{
    Shape in = to_node(IPPROTO_UDP);
    Shape out = to_pod(IPPROTO_UDP);
    for (const char *payload : {"", "1", "12345", "123456"}) {
        in.payload = out.payload = payload;

        EXPECT_EQ(ingress(packet(in)).packet, packet(out));
        expect_counted({TORTIE_PM_FORWARDED});
    }
}

TEST_P(PortmapPacket, TellsWhatHappensToFlowsWhenAsked)
{
    std::vector<pm_event> told;
    const auto note = [](void *to, void *data, std::size_t size) {
        EXPECT_EQ(size, sizeof(pm_event));
        static_cast<std::vector<pm_event> *>(to)->push_back(*static_cast<const pm_event *>(data));
        return 0;
    };
    const std::unique_ptr<ring_buffer, decltype(&ring_buffer__free)> ring(
        ring_buffer__new(bpf_map__fd(object_->skeleton().maps.tt_pm_events), note, &told, nullptr),
        ring_buffer__free);
    ASSERT_TRUE(ring);
    Shape syn = to_node(IPPROTO_TCP);
    syn.tcp_flags = 0x02;
    object_->state().sample = 1;

    ingress(packet(syn));

    ring_buffer__consume(ring.get());
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].what, TORTIE_PM_REOPENED);
    EXPECT_EQ(told[0].tuple.dst_port_be, htons(8080));
    EXPECT_EQ(told[0].ifindex, 1u);
}

TEST_P(PortmapPacket, WithTheLinksPaddingIsCarried)
{
    Shape in = to_node(IPPROTO_TCP);
    Shape out = to_pod(IPPROTO_TCP);
    in.payload = out.payload = "";
    Bytes sent = packet(in);
    Bytes expected = packet(out);
    sent.resize(sent.size() + 6);
    expected.resize(sent.size());

    EXPECT_EQ(ingress(sent).packet, expected);
    expect_counted({TORTIE_PM_FORWARDED});
}

TEST_P(PortmapPacket, GreaterThanTheLinkIsNetfilters)
{
    Shape shape = to_node(IPPROTO_UDP);
    const std::size_t headers = v6() ? 48 : 28;
    shape.payload = std::string(kMtu - headers, 'x');
    EXPECT_EQ(ingress(packet(shape)).action, TC_ACT_REDIRECT);
    expect_counted({TORTIE_PM_FORWARDED});

    shape.payload += 'x';

    expect_left(ingress(packet(shape)), packet(shape), {TORTIE_PM_TOO_BIG});
}

TEST_P(PortmapPacket, PutTogetherByTheCardIsMeasuredByItsSegments)
{
    Shape shape = to_node(IPPROTO_TCP);
    shape.payload = std::string(3000, 'x');
    const std::uint32_t fits = kMtu - (v6() ? 60 : 40);

    EXPECT_EQ(ingress(packet(shape), fits).action, TC_ACT_REDIRECT);
    expect_counted({TORTIE_PM_FORWARDED});
    EXPECT_EQ(ingress(packet(shape), fits + 1).action, TC_ACT_UNSPEC);
    expect_counted({TORTIE_PM_TOO_BIG});
}

TEST_P(PortmapPacket, ByAnotherDeviceIsNetfiltersAndEndsNothing)
{
    object_->insert({.l4_proto = IPPROTO_TCP,
                     .client = client().address,
                     .client_port = client().port,
                     .mapping = {node().address, 8080, IPPROTO_TCP, pod().address, 80},
                     .uplink = 7,
                     .veth = 7});
    const std::size_t flows = object_->flows();

    EXPECT_EQ(ingress(packet(to_node(IPPROTO_TCP))).action, TC_ACT_UNSPEC);
    expect_left(reply(packet(from_pod(IPPROTO_TCP))), packet(from_pod(IPPROTO_TCP)),
                {TORTIE_PM_OTHER_UPLINK, TORTIE_PM_NO_ROUTE});
    EXPECT_EQ(object_->flows(), flows);
}

TEST_P(PortmapPacket, OfAPodThatIsGoneIsNetfiltersFromTheNextOneOn)
{
    object_->withdraw_pod(pod().address);

    expect_left(ingress(packet(to_node(IPPROTO_TCP))), packet(to_node(IPPROTO_TCP)),
                {TORTIE_PM_INELIGIBLE, TORTIE_PM_FORGOTTEN});
    EXPECT_EQ(object_->flows(), 2u);  // UDP's, which nothing was sent of
}

TEST_P(PortmapPacket, ThatOpensAKnownTupleAnewGivesTheFlowBack)
{
    Shape syn = to_node(IPPROTO_TCP);
    syn.tcp_flags = 0x02;

    expect_left(ingress(packet(syn)), packet(syn), {TORTIE_PM_NOT_ESTABLISHED, TORTIE_PM_REOPENED});
    EXPECT_EQ(object_->flows(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Families, PortmapPacket, ::testing::Bool(),
                         [](const auto &of) { return of.param ? "IPv6" : "IPv4"; });

class PortmapPacket4 : public PortmapPacket {};

TEST_P(PortmapPacket4, WithAWrongHeaderChecksumDoesNotLeaveTheNode)
{
    Bytes sent = packet(from_pod(IPPROTO_UDP));
    sent[24] ^= 0x01;

    expect_left(reply(sent), sent, {TORTIE_PM_CHECKSUM});
}

TEST_P(PortmapPacket4, WithOptionsIsNetfilters)
{
    for (std::size_t bytes = 4; bytes <= 40; bytes += 4) {
        Shape shape = to_node(IPPROTO_UDP);
        shape.option_bytes = bytes;

        expect_left(ingress(packet(shape)), packet(shape), {TORTIE_PM_OPTIONS});
    }
}

TEST_P(PortmapPacket4, ThatIsAFragmentIsNetfilters)
{
    for (const std::uint16_t fragment :
         std::initializer_list<std::uint16_t>{0x2000, 0x0001, 0x20b9}) {
        Shape shape = to_node(IPPROTO_UDP);
        shape.fragment = fragment;

        expect_left(ingress(packet(shape)), packet(shape), {TORTIE_PM_FRAGMENT});
    }
}

TEST_P(PortmapPacket4, ThatMayNotBeFragmentedIsCarried)
{
    Shape in = to_node(IPPROTO_UDP);
    Shape out = to_pod(IPPROTO_UDP);
    in.fragment = out.fragment = 0x4000;

    EXPECT_EQ(ingress(packet(in)).packet, packet(out));
}

INSTANTIATE_TEST_SUITE_P(IPv4, PortmapPacket4, ::testing::Values(false));

class PortmapPacket6 : public PortmapPacket {};

TEST_P(PortmapPacket6, WithExtensionHeadersIsNetfilters)
{
    for (const int extension : {0, 43, 44, 51, 60, 135, 139, 140}) {
        Shape shape = to_node(IPPROTO_UDP);
        shape.extension = extension;

        expect_left(ingress(packet(shape)), packet(shape), {TORTIE_PM_EXTENSION});
    }
}

TEST_P(PortmapPacket6, WithIpv4AddressesInItIsNeverTakenForIpv4)
{
    const Shape shape = {.from = {"::ffff:192.0.2.2", 40000},
                         .to = {"::ffff:192.0.2.1", 8080},
                         .l4_proto = IPPROTO_TCP};

    expect_left(ingress(packet(shape)), packet(shape), {TORTIE_PM_NO_MAPPING});
}

INSTANTIATE_TEST_SUITE_P(IPv6, PortmapPacket6, ::testing::Values(true));

}  // namespace
}  // namespace tortie::test
