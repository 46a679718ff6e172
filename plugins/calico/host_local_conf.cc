// SPDX-License-Identifier: Apache-2.0
#include "calico/host_local_conf.h"

#include "base/strings.h"

namespace tortie::calico_cni {
namespace {

tl::unexpected<Error> refuse(std::string text)
{
    return fail(ErrorKind::kInvalidInput, std::move(text));
}

struct Placeholder {
    std::string pointer;  // where the word stands
    Family family;
};

void look_for_word(const cni::Json &range, const std::string &pointer,
                   std::vector<Placeholder> &found)
{
    const auto subnet = range.string("subnet");
    if (!subnet)
        return;  // host-local says what is wrong with it
    if (equals_ignore_case(*subnet, "usePodCidr"))
        found.push_back({.pointer = pointer + "/subnet", .family = Family::kIpv4});
    if (equals_ignore_case(*subnet, "usePodCidrIPv6"))
        found.push_back({.pointer = pointer + "/subnet", .family = Family::kIpv6});
}

Result<> look_in_range_set(const cni::Json &set, const std::string &pointer,
                           std::vector<Placeholder> &found)
{
    if (!set.is_array())
        return refuse("failed to parse host-local IPAM range set; was expecting a list, not: " +
                      set.dump());
    TORTIE_TRY(const auto ranges, set.as_elements());
    for (std::size_t i = 0; i < ranges.size(); ++i)
        look_for_word(ranges[i], pointer + '/' + std::to_string(i), found);
    return {};
}

Result<std::vector<Placeholder>> placeholders(const cni::Json &config)
{
    std::vector<Placeholder> found;
    const cni::Json ipam = config.at("ipam");
    if (!ipam.is_object())
        return refuse("failed to parse host-local IPAM data; was expecting a dict, not: " +
                      ipam.dump());
    look_for_word(ipam, "/ipam", found);
    const cni::Json ranges = ipam.at("ranges");
    if (!ranges.present())
        return found;
    if (!ranges.is_array())
        return refuse(
            "failed to parse host-local IPAM ranges section; was expecting a list, "
            "not: " +
            ranges.dump());
    TORTIE_TRY(const auto sets, ranges.as_elements());
    for (std::size_t i = 0; i < sets.size(); ++i)
        TORTIE_DO(look_in_range_set(sets[i], "/ipam/ranges/" + std::to_string(i), found));
    return found;
}

struct NodeCidrs {
    std::string v4;
    std::string v6;

    const std::string &of(Family family) const { return family == Family::kIpv4 ? v4 : v6; }
};

Result<NodeCidrs> node_cidrs(const std::string &node, std::span<const std::string> texts)
{
    if (texts.empty())
        return refuse("no podCidr for node " + node);
    NodeCidrs cidrs;
    for (const std::string &text : texts) {
        const auto cidr = Cidr::parse(text);
        if (!cidr)
            return refuse("invalid CIDR address: " + text);
        (cidr->addr.family() == Family::kIpv4 ? cidrs.v4 : cidrs.v6) = text;
    }
    if (texts.size() > 1 && (cidrs.v4.empty() || cidrs.v6.empty()))
        return refuse("ClusterCIDR contains two ranges of the same type");
    return cidrs;
}

Result<cni::Json> replaced(const cni::Json &config, const std::vector<Placeholder> &words,
                           const NodeCidrs &cidrs)
{
    cni::Json out = config;
    for (const Placeholder &word : words) {
        if (cidrs.of(word.family).empty() && word.family == Family::kIpv4)
            return refuse("usePodCidr found but there is no IPv4 CIDR configured");
        if (cidrs.of(word.family).empty())
            return refuse("usePodCidrIPv6 found but there is no IPv6 CIDR configured");
        TORTIE_TRY(out, out.with(word.pointer, cni::Json::of(cidrs.of(word.family))));
    }
    return out;
}

}  // namespace

Result<bool> uses_pod_cidrs(const cni::Json &config)
{
    TORTIE_TRY(const auto words, placeholders(config));
    return !words.empty();
}

Result<cni::Json> with_pod_cidrs(const cni::Json &config, const std::string &node,
                                 std::span<const std::string> pod_cidrs)
{
    TORTIE_TRY(const auto words, placeholders(config));
    if (words.empty())
        return config;
    TORTIE_TRY(const NodeCidrs cidrs, node_cidrs(node, pod_cidrs));
    return replaced(config, words, cidrs);
}

Result<cni::Json> with_any_cidrs(const cni::Json &config)
{
    TORTIE_TRY(const auto words, placeholders(config));
    return replaced(config, words, {.v4 = "0.0.0.0/0", .v6 = "::/0"});
}

Result<std::vector<Cidr>> host_local_routes(const cni::Json &config)
{
    std::vector<Cidr> routes;
    const cni::Json list = config.at("ipam").at("routes");
    if (!list.present())
        return routes;
    if (!list.is_array())
        return refuse("failed to parse host-local IPAM routes section; expecting list, not: " +
                      list.dump());
    TORTIE_TRY(const auto elements, list.as_elements());
    for (const cni::Json &element : elements) {
        const cni::Json dst = element.at("dst");
        if (!dst.present())
            continue;
        const auto text = dst.as_string();
        if (!text)
            return refuse("invalid IPAM routes section; expecting 'dst' to be a string, not: " +
                          dst.dump());
        const auto cidr = Cidr::parse(*text);
        if (!cidr)
            return refuse("invalid CIDR address: " + *text);
        routes.push_back({.addr = cidr->network(), .prefix = cidr->prefix});
    }
    return routes;
}

}  // namespace tortie::calico_cni
