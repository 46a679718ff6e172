// SPDX-License-Identifier: Apache-2.0
//
// Packets of every shape, damaged at random: what is left to netfilter is left as it was, what is
// carried has right checksums when it had, and no map changes but those of flows.
// TORTIE_PROG_FUZZ=10000000 in the environment asks for so many.
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include <cstring>
#include <random>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "base/process.h"
#include "base/strings.h"
#include "prog/packet.h"
#include "prog/portmap_object.h"

namespace tortie::test {
namespace {

constexpr std::uint64_t kPackets = 100'000;
constexpr std::uint32_t kFull = TORTIE_PM_MAY_ADOPT | TORTIE_PM_MAY_FULL;

class PortmapFuzz : public ::testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        object_.emplace();
        ASSERT_TRUE(object_->loaded());
        object_->look_once_a_second();
        object_->state().full = 1;
        object_->add_uplink(1);
        object_->add_pod("10.65.0.2", 1, 1500, kFull);
        object_->add_pod("2001:db8:2::2", 1, 1500, kFull);
        fill_tables();
    }

    void fill_tables() const
    {
        for (const bool v6 : {false, true})
            for (const std::uint8_t l4 : kTransports)
                insert(v6, l4);
    }

    void insert(bool v6, std::uint8_t l4) const
    {
        const Mapping mapping = {v6 ? "2001:db8:1::1" : "192.0.2.1", 8080, l4,
                                 v6 ? "2001:db8:2::2" : "10.65.0.2", 80};
        object_->publish(mapping, kFull);
        for (const std::uint16_t port : std::initializer_list<std::uint16_t>{40000, 40001})
            object_->insert({.l4_proto = l4,
                             .client = v6 ? "2001:db8:1::2" : "192.0.2.2",
                             .client_port = port,
                             .mapping = mapping,
                             .mode = static_cast<std::uint8_t>(port == 40000 ? TORTIE_PM_FULL
                                                                             : TORTIE_PM_ADOPTED)});
    }

    std::size_t pick(std::size_t below) { return below == 0 ? 0 : random_() % below; }

    Shape shape(bool to_node)
    {
        const bool v6 = pick(2) != 0;
        const Endpoint client = {v6 ? "2001:db8:1::2" : "192.0.2.2",
                                 static_cast<std::uint16_t>(40000 + pick(3))};
        const Endpoint node = {v6 ? "2001:db8:1::1" : "192.0.2.1", 8080};
        const Endpoint pod = {v6 ? "2001:db8:2::2" : "10.65.0.2", 80};
        Shape made = {.from = to_node ? client : pod, .to = to_node ? node : client};
        made.l4_proto = pick(2) != 0 ? IPPROTO_TCP : IPPROTO_UDP;
        made.ttl = static_cast<std::uint8_t>(pick(8) != 0 ? 64 : pick(3));
        made.tcp_flags = static_cast<std::uint8_t>(pick(3) != 0 ? 0x10 : pick(256));
        made.udp_checksum = pick(4) != 0;
        made.payload = std::string(pick(64), 'p');
        if (pick(10) == 0)
            made.option_bytes = 4 * (1 + pick(10));
        if (pick(10) == 0)
            made.extension = static_cast<int>(pick(256));
        if (pick(10) == 0)
            made.fragment = static_cast<std::uint16_t>(pick(65536));
        return made;
    }

    // An error about a packet that came the other way.
    Bytes error(bool to_node)
    {
        const Shape about = shape(to_node);
        const Shape seen = {.from = about.to, .to = about.from, .l4_proto = about.l4_proto};
        const Bytes quoted = packet(seen);
        return too_big(about.from.address, about.to.address, quoted,
                       std::min(quoted.size() - 14, 28 + pick(60)));
    }

    Bytes made(bool to_node)
    {
        Bytes bytes = pick(5) == 0 ? error(to_node) : packet(shape(to_node));
        for (std::size_t damage = pick(4); damage > 0; --damage)
            bytes[14 + pick(bytes.size() - 14)] = static_cast<std::uint8_t>(pick(256));
        const std::size_t least = bytes[12] == 0x08 ? 34 : 54;
        if (pick(6) == 0)
            bytes.resize(least + pick(bytes.size() - least + 20));
        return bytes;
    }

    // What userspace wrote, without what the programs write there.
    std::vector<std::uint8_t> written() const
    {
        std::vector<std::uint8_t> all;
        const auto &maps = object_->skeleton().maps;
        for (const bpf_map *map :
             {maps.tt_pm_hostport, maps.tt_pm_podport, maps.tt_pm_pod, maps.tt_pm_uplink}) {
            std::vector<std::uint8_t> key(bpf_map__key_size(map));
            std::vector<std::uint8_t> value(bpf_map__value_size(map));
            for (const void *from = nullptr;
                 bpf_map__get_next_key(map, from, key.data(), key.size()) == 0; from = key.data()) {
                bpf_map__lookup_elem(map, key.data(), key.size(), value.data(), value.size(), 0);
                if (map == maps.tt_pm_pod)
                    std::memset(&value[offsetof(pm_pod, looked)], 0, 8);
                if (map == maps.tt_pm_pod)
                    std::memset(&value[offsetof(pm_pod, mtu)], 0, 4);
                if (map == maps.tt_pm_uplink)
                    std::memset(&value[offsetof(pm_uplink, looked)], 0, 8);
                if (map == maps.tt_pm_uplink)
                    std::memset(&value[offsetof(pm_uplink, mtu)], 0, 4);
                all.insert(all.end(), key.begin(), key.end());
                all.insert(all.end(), value.begin(), value.end());
            }
        }
        pm_state state = object_->state();
        state.jiffies = state.monotonic_ns = 0;
        const auto *bytes = reinterpret_cast<const std::uint8_t *>(&state);
        all.insert(all.end(), bytes, bytes + sizeof(state));
        return all;
    }

    void send(bool to_node)
    {
        const Bytes sent = made(to_node);
        const auto &programs = object_->skeleton().progs;
        const Verdict got =
            object_->run(to_node ? programs.tt_pm_ingress : programs.tt_pm_reply, sent);

        ASSERT_NE(got.action, TC_ACT_SHOT) << testing::PrintToString(sent);
        if (got.action == TC_ACT_UNSPEC) {
            ASSERT_EQ(got.packet, sent);
            return;
        }
        if (sums_are_right(sent)) {
            ASSERT_TRUE(sums_are_right(got.packet)) << testing::PrintToString(sent) << '\n'
                                                    << testing::PrintToString(got.packet);
        }
        ++carried_;
    }

    std::optional<PortmapObject> object_;
    std::mt19937 random_{20261125};  // NOLINT(cert-msc51-cpp): the same packets every time
    std::uint64_t carried_ = 0;
};

TEST_F(PortmapFuzz, ChangesNothingButFlowsAndBreaksNoChecksum)
{
    const char *asked = get_env("TORTIE_PROG_FUZZ");
    const std::uint64_t packets =
        parse_number<std::uint64_t>(asked == nullptr ? "" : asked).value_or(kPackets);
    const std::vector<std::uint8_t> before = written();

    for (std::uint64_t i = 0; i < packets && !HasFatalFailure(); ++i) {
        if (i % 1000 == 0)
            fill_tables();  // random packets close flows and open them anew
        send(i % 2 == 0);
    }

    EXPECT_EQ(written(), before);
    EXPECT_GT(carried_, packets / 20);
}

}  // namespace
}  // namespace tortie::test
