// SPDX-License-Identifier: Apache-2.0
#include "datapath/iptables_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/sha512.h"
#include "base/strings.h"
#include "sys/iptables.h"

namespace tortie {
namespace {

constexpr std::size_t kChainNameBytes = 28;
constexpr std::size_t kCommentBytes = 255;   // what xt_comment holds without its zero
constexpr std::size_t kPortsOfOneRule = 15;  // XT_MULTI_PORTS

// The fixed parts of a jump's comment.
constexpr std::string_view kBeforeName = "dnat name: \"";
constexpr std::string_view kBeforeId = "\" id: \"";

std::string chain_name(std::string_view prefix, const Attachment &attachment)
{
    return std::string(prefix) + sha512_hex(attachment.network + attachment.container_id,
                                            kChainNameBytes - prefix.size());
}

std::string mark_text(unsigned bit)
{
    std::array<char, 8> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), std::uint32_t{1} << bit, 16);
    const std::string mark = "0x" + std::string(digits.data(), end.ptr);
    return mark + '/' + mark;
}

std::string lower_case(std::string text)
{
    for (char &c : text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return text;
}

// What iptables-save prints between source and target.
std::string match_of(const PortMapping &mapping)
{
    std::string text;
    if (mapping.host_ip && !mapping.host_ip->is_unspecified())
        text += "-d " + mapping.host_ip->to_string() + '/' +
                std::to_string(width_bits(mapping.host_ip->family())) + ' ';
    const std::string protocol(name_of(mapping.protocol));
    return text + "-p " + protocol + " -m " + protocol + " --dport " +
           std::to_string(mapping.host_port) + ' ';
}

std::string source_of(const PortPolicy &policy, const Cidr &cidr)
{
    if (policy.masq_all || cidr.prefix == 0)
        return {};
    return "-s " + cidr.network().to_string() + '/' + std::to_string(cidr.prefix) + ' ';
}

std::string destination_of(const IpAddr &address, std::uint16_t port)
{
    const std::string ip = address.to_string();
    return (address.family() == Family::kIpv4 ? ip : '[' + ip + ']') + ':' + std::to_string(port);
}

// "10.0.0.2:80" or "[fd00::2]:80".
std::optional<std::pair<IpAddr, std::uint16_t>> read_destination(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return std::nullopt;
    std::string_view ip = text.substr(0, colon);
    if (ip.starts_with('[') && ip.ends_with(']'))
        ip = ip.substr(1, ip.size() - 2);
    const auto address = IpAddr::parse(ip);
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!address || !port)
        return std::nullopt;
    return std::pair(*address, *port);
}

}  // namespace

std::string dnat_chain_of(const Attachment &attachment)
{
    return chain_name("CNI-DN-", attachment);
}

std::string old_snat_chain_of(const Attachment &attachment)
{
    return chain_name("CNI-SN-", attachment);
}

std::string jump_comment(const Attachment &attachment)
{
    std::string text(kBeforeName);
    text.append(attachment.network).append(kBeforeId).append(attachment.container_id).append("\"");
    // The Go plugin appends three dots to 253 bytes; the kernel's field holds two of them.
    if (text.size() > kCommentBytes)
        text = text.substr(0, kCommentBytes - 2) + "..";
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"')
            quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

CommentedJump read_jump_comment(std::string_view comment)
{
    if (!comment.starts_with(kBeforeName))
        return {};
    comment.remove_prefix(kBeforeName.size());
    const std::size_t name_end = comment.find('"');
    if (name_end == std::string_view::npos || !comment.substr(name_end).starts_with(kBeforeId))
        return {};
    CommentedJump jump;
    jump.network = comment.substr(0, name_end);
    comment.remove_prefix(name_end + kBeforeId.size());
    jump.complete = comment.ends_with('"');
    jump.container_id = comment.substr(0, comment.find('"'));
    return jump;
}

bool needs_own_mark(const PortPolicy &policy)
{
    return policy.snat && policy.external_set_mark_chain.empty();
}

std::string set_mark_rule(unsigned mark_masq_bit)
{
    return "-m comment --comment \"CNI portfwd masquerade mark\" -j MARK --set-xmark " +
           mark_text(mark_masq_bit);
}

std::string masq_rule(unsigned mark_masq_bit)
{
    return "-m mark --mark " + mark_text(mark_masq_bit) + " -j MASQUERADE";
}

std::vector<std::string> container_rules(const Publication &publication, const Cidr &cidr)
{
    const Family family = cidr.addr.family();
    const PortPolicy &policy = publication.policy;
    const std::string mark_chain = policy.external_set_mark_chain.empty()
                                       ? std::string(kSetMarkChain)
                                       : policy.external_set_mark_chain;
    std::vector<std::string> rules;
    const auto add = [&rules](std::string_view source, std::string_view match,
                              std::string_view target) {
        std::string rule(source);
        rule.append(match).append(target);
        if (std::find(rules.begin(), rules.end(), rule) == rules.end())
            rules.push_back(std::move(rule));
    };
    const std::string mark = "-j " + mark_chain;
    const std::string source = source_of(policy, cidr);
    for (const PortMapping &mapping : publication.mappings) {
        if (mapping.host_ip && mapping.host_ip->family() != family)
            continue;
        const std::string match = match_of(mapping);
        if (policy.snat)
            add(source, match, mark);
        if (policy.snat && !policy.masq_all && family == Family::kIpv4)
            add("-s 127.0.0.1/32 ", match, mark);
        add({}, match,
            "-j DNAT --to-destination " + destination_of(cidr.addr, mapping.container_port));
    }
    return rules;
}

Result<std::vector<std::string>> container_jumps(const Publication &publication, Family family)
{
    std::string to_chain;
    for (const std::string &word : family == Family::kIpv4 ? publication.policy.conditions_v4
                                                           : publication.policy.conditions_v6) {
        TORTIE_TRY(const std::string quoted, restore_word(word));
        to_chain.append(quoted).append(" ");
    }
    to_chain += "-j " + dnat_chain_of(publication.attachment);

    std::map<std::string, std::vector<std::string>> ports_by_protocol;
    for (const PortMapping &mapping : publication.mappings)
        ports_by_protocol[mapping.protocol_text].push_back(std::to_string(mapping.host_port));

    const std::string match =
        " -m comment --comment " + jump_comment(publication.attachment) + " -m multiport --dports ";
    std::vector<std::string> jumps;
    for (const auto &[protocol, ports] : ports_by_protocol) {
        for (std::size_t first = 0; first < ports.size(); first += kPortsOfOneRule) {
            const std::size_t count = std::min(kPortsOfOneRule, ports.size() - first);
            std::string jump = "-p ";
            jump.append(lower_case(protocol))
                .append(match)
                .append(join(std::span(ports).subspan(first, count), ","))
                .append(" ")
                .append(to_chain);
            if (std::find(jumps.begin(), jumps.end(), jump) == jumps.end())
                jumps.push_back(std::move(jump));
        }
    }
    return jumps;
}

std::optional<PublishedPort> published_by(std::string_view rule)
{
    if (rule.find("-j DNAT ") == std::string_view::npos)
        return std::nullopt;
    const auto protocol = protocol_named(option_of(rule, "-p"));
    const auto port = parse_number<std::uint16_t>(option_of(rule, "--dport"));
    const auto destination = read_destination(option_of(rule, "--to-destination"));
    if (!protocol || !port || !destination)
        return std::nullopt;
    PublishedPort published{.protocol = *protocol,
                            .host_ip = std::nullopt,
                            .host_port = *port,
                            .target = destination->first,
                            .target_port = destination->second};
    if (const auto host = Cidr::parse(option_of(rule, "-d")))
        published.host_ip = host->addr;
    return published;
}

}  // namespace tortie
