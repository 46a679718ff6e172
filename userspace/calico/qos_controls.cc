// SPDX-License-Identifier: Apache-2.0
#include "calico/qos_controls.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "calico/json_codec.h"

namespace tortie::calico {
namespace {

constexpr std::int64_t kKilo = 1000;
constexpr std::int64_t kMega = kKilo * kKilo;
constexpr std::int64_t kPeta = kMega * kMega * kKilo;
constexpr std::int64_t kMostUint32 = std::numeric_limits<std::uint32_t>::max();

struct Range {
    std::int64_t least;
    std::int64_t most;
};

constexpr Range kBandwidth{kKilo, kPeta};            // bit/s
constexpr Range kBurst{kKilo, kMostUint32 * 8};      // bits
constexpr Range kPeakrate{1010, kPeta / 100 * 101};  // bit/s
constexpr Range kMinburst{kKilo, 100 * kMega};       // bytes
constexpr Range kPackets{1, 10 * kKilo};             // packets, packets/s
constexpr Range kConnections{1, kMostUint32};
constexpr std::int64_t kDefaultBurst = std::int64_t{4} << 30;
constexpr std::int64_t kDefaultPacketBurst = 5;

// Numbers of one direction; 0 is "not limited".
struct Limits {
    std::int64_t bandwidth = 0;
    std::int64_t burst = 0;
    std::int64_t peakrate = 0;
    std::int64_t minburst = 0;
    std::int64_t packet_rate = 0;
    std::int64_t packet_burst = 0;
    std::int64_t max_connections = 0;
};

struct Setting {
    const char *name;  // behind the direction
    std::int64_t Limits::*value;
    Range range;
};

constexpr std::array kSettings = {
    Setting{"Bandwidth", &Limits::bandwidth, kBandwidth},
    Setting{"Burst", &Limits::burst, kBurst},
    Setting{"Peakrate", &Limits::peakrate, kPeakrate},
    Setting{"Minburst", &Limits::minburst, kMinburst},
    Setting{"PacketRate", &Limits::packet_rate, kPackets},
    Setting{"PacketBurst", &Limits::packet_burst, kPackets},
    Setting{"MaxConnections", &Limits::max_connections, kConnections},
};

void read(const kube::StringMap &annotations, const std::string &key, const Range &range,
          std::int64_t &into)
{
    const auto found = annotations.find(key);
    if (found == annotations.end())
        return;
    const auto value = parse_quantity(found->second);
    into = value ? std::clamp(*value, range.least, range.most) : 0;
    if (!value || *value != into)
        log::warn("Error parsing QoSControl annotations",
                  {{"annotation", key},
                   {"value", std::string_view(found->second).substr(0, 100)},
                   {"used", std::to_string(into)}});
}

// A limit that leans on one that is not there does not count.
void require(std::string_view what, bool fine, std::int64_t &value)
{
    if (value == 0 || fine)
        return;
    log::warn("Error parsing QoSControl annotations", {{"ignored", what}});
    value = 0;
}

Limits read_limits(const kube::StringMap &annotations, const std::string &direction)
{
    Limits limits;
    read(annotations, "kubernetes.io/" + direction + "-bandwidth", kBandwidth, limits.bandwidth);
    for (const Setting &setting : kSettings)
        read(annotations, "qos.projectcalico.org/" + direction + setting.name, setting.range,
             limits.*setting.value);
    require(direction + "Burst", limits.bandwidth != 0, limits.burst);
    require(direction + "Peakrate", limits.bandwidth != 0 && limits.bandwidth < limits.peakrate,
            limits.peakrate);
    require(direction + "Minburst", limits.peakrate != 0, limits.minburst);
    require(direction + "PacketBurst", limits.packet_rate != 0, limits.packet_burst);
    if (limits.bandwidth != 0 && limits.burst == 0)
        limits.burst = kDefaultBurst;
    if (limits.packet_rate != 0 && limits.packet_burst == 0)
        limits.packet_burst = kDefaultPacketBurst;
    return limits;
}

// A name of RFC 2474, 2597, 3246, or a number below 64.
std::optional<JsonScalar> parse_dscp(const std::string &text)
{
    constexpr std::array<std::string_view, 22> kNames = {
        "AF11", "AF12", "AF13", "AF21", "AF22", "AF23", "AF31", "AF32", "AF33", "AF41", "AF42",
        "AF43", "CS0",  "CS1",  "CS2",  "CS3",  "CS4",  "CS5",  "CS6",  "CS7",  "DF",   "EF"};
    if (std::find(kNames.begin(), kNames.end(), text) != kNames.end())
        return text;
    const auto number = parse_number<std::int64_t>(text);
    if (number && *number >= 0 && *number < 64)
        return *number;
    return std::nullopt;
}

// What a suffix multiplies by, as powers: 10^ten, 1024^kibi.
struct Scale {
    int ten = 0;
    int kibi = 0;
};

std::optional<Scale> scale_of(std::string_view suffix)
{
    constexpr std::string_view kLetters = "KMGTPE";
    if (suffix.empty())
        return Scale{};
    const std::size_t letter = kLetters.find(suffix[0] == 'k' ? 'K' : suffix[0]);
    const int power = letter == std::string_view::npos ? 0 : static_cast<int>(letter) + 1;
    if (suffix.size() == 2 && suffix[1] == 'i' && power > 0 && suffix[0] != 'k')
        return Scale{.ten = 0, .kibi = power};
    if (suffix.size() == 1 && power > 0 && suffix[0] != 'K')
        return Scale{.ten = 3 * power, .kibi = 0};
    if (suffix.size() == 1 && std::string_view("mun").find(suffix[0]) != std::string_view::npos)
        return Scale{.ten = suffix[0] == 'm' ? -3 : suffix[0] == 'u' ? -6 : -9, .kibi = 0};
    if (suffix[0] != 'e' && suffix[0] != 'E')
        return std::nullopt;
    suffix.remove_prefix(suffix.size() > 1 && suffix[1] == '+' ? 2 : 1);
    const auto exponent = parse_number<int>(suffix);
    if (!exponent || *exponent > 400 || *exponent < -400)
        return std::nullopt;
    return Scale{.ten = *exponent, .kibi = 0};
}

// digits * 10^ten * 1024^kibi, rounded up; the largest number when it is beyond.
std::int64_t scaled(std::uint64_t digits, Scale scale)
{
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    unsigned __int128 value = digits;
    for (; scale.kibi > 0 && value <= kMost; --scale.kibi)
        value *= 1024;
    for (; scale.ten > 0 && value <= kMost && value != 0; --scale.ten)
        value *= 10;
    unsigned __int128 divisor = 1;
    for (; scale.ten < 0 && divisor <= value; ++scale.ten)
        divisor *= 10;
    value = (value + divisor - 1) / divisor;
    return static_cast<std::int64_t>(value > kMost ? kMost : static_cast<std::uint64_t>(value));
}

}  // namespace

std::optional<std::int64_t> parse_quantity(std::string_view text)
{
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+'))
        text.remove_prefix(1);
    const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    std::string number(text.substr(0, end));
    const std::size_t dot = number.find('.');
    int fraction = 0;
    if (dot != std::string::npos) {
        fraction = static_cast<int>(number.size() - dot - 1);
        number.erase(dot, 1);
    }
    const auto digits = parse_number<std::uint64_t>(number);  // refuses a second dot
    auto scale = scale_of(text.substr(end));
    if (!digits || !scale)
        return std::nullopt;
    scale->ten -= fraction;
    const std::int64_t value = scaled(*digits, *scale);
    return negative ? -value : value;
}

std::string qos_controls_of(const kube::StringMap &annotations)
{
    std::vector<std::pair<std::string, JsonScalar>> members;
    for (const std::string direction : {"ingress", "egress"}) {
        const Limits limits = read_limits(annotations, direction);
        for (const Setting &setting : kSettings) {
            if (limits.*setting.value != 0)
                members.emplace_back(direction + setting.name, limits.*setting.value);
        }
    }
    const auto dscp = annotations.find("qos.projectcalico.org/dscp");
    if (dscp != annotations.end()) {
        if (auto value = parse_dscp(dscp->second))
            members.emplace_back("dscp", *std::move(value));
        else
            log::warn("Error parsing QoSControl annotations", {{"annotation", dscp->first}});
    }
    return members.empty() ? "" : json_object(members);
}

}  // namespace tortie::calico
