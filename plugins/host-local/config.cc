// SPDX-License-Identifier: Apache-2.0
#include "host-local/config.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/strings.h"
#include "cni/args.h"
#include "cni/json_address.h"
#include "cni/result_codec.h"
#include "host-local/store.h"

namespace tortie::host_local {
namespace {

using cni::Json;

tl::unexpected<Error> refuse(std::string reason)
{
    return fail(ErrorKind::kInvalidInput, std::move(reason));
}

Result<RangeConfig> read_range(const Json &object)
{
    if (object.present() && !object.is_object())
        return refuse("json: cannot unmarshal " + object.dump() +
                      " into Go value of type allocator.Range");
    RangeConfig range;
    TORTIE_TRY(range.start, cni::address_at(object, "rangeStart"));
    TORTIE_TRY(range.end, cni::address_at(object, "rangeEnd"));
    TORTIE_TRY(const std::string subnet, object.string("subnet"));
    TORTIE_TRY(range.subnet, cni::cidr_at(object, "subnet"));
    range.subnet_is_mapped = range.subnet && range.subnet->addr.family() == Family::kIpv4 &&
                             subnet.find(':') != std::string::npos;
    TORTIE_TRY(range.gateway, cni::address_at(object, "gateway"));
    return range;
}

using RangeSetConfig = std::vector<RangeConfig>;

Result<> append_sets(const Json &object, std::string_view key, std::vector<RangeSetConfig> &into)
{
    TORTIE_TRY(const auto sets, object.elements(key));
    for (const Json &set : sets) {
        TORTIE_TRY(const auto ranges, set.as_elements());
        RangeSetConfig one;
        for (const Json &range : ranges) {
            TORTIE_TRY(RangeConfig config, read_range(range));
            one.push_back(config);
        }
        into.push_back(std::move(one));
    }
    return {};
}

// <ip>[/<prefix>]; the prefix is not used, but must be one.
std::optional<IpAddr> parse_request(std::string_view text)
{
    if (text.find('/') == std::string_view::npos)
        return IpAddr::parse(text);
    const auto cidr = cni::parse_cidr(text);
    return cidr ? std::optional(cidr->addr) : std::nullopt;
}

Result<> append_requests(const Json &object, std::vector<IpAddr> &into)
{
    TORTIE_TRY(const auto texts, object.strings("ips"));
    for (const std::string &text : texts) {
        if (text.empty())
            return refuse("cannot understand ip: IP <nil> not v4 nor v6");
        const auto ip = parse_request(text);
        if (!ip)
            return refuse("invalid IP address " + text);
        into.push_back(*ip);
    }
    return {};
}

Result<> append_request_of_args(const std::string &args, std::vector<IpAddr> &into)
{
    TORTIE_TRY(const auto values, cni::parse_args(args, {"IP"}));
    const auto text = values.find("IP");
    if (text == values.end() || text->second.empty())
        return {};
    const auto ip = parse_request(text->second);
    if (!ip)
        return refuse("ARGS: error parsing value of pair " + go_quoted("IP=" + text->second) +
                      ": invalid IP address " + text->second);
    into.push_back(*ip);
    return {};
}

// CNI_ARGS, then args.cni.ips, then runtimeConfig.ips.
Result<std::vector<IpAddr>> read_requests(const cni::Request &request, const Json &runtime)
{
    std::vector<IpAddr> all;
    TORTIE_DO(append_request_of_args(request.args, all));
    TORTIE_TRY(const Json args, request.config.object("args"));
    TORTIE_TRY(const Json cni_args, args.object("cni"));
    TORTIE_DO(append_requests(cni_args, all));
    TORTIE_DO(append_requests(runtime, all));

    std::vector<IpAddr> once;
    for (const IpAddr &ip : all) {
        if (std::find(once.begin(), once.end(), ip) == once.end())
            once.push_back(ip);
    }
    return once;
}

Result<std::vector<RangeSet>> check_sets(const std::vector<RangeSetConfig> &configs,
                                         const std::string &version)
{
    std::vector<RangeSet> sets;
    for (const RangeSetConfig &config : configs) {
        auto set = RangeSet::from(config);
        if (!set)
            return fail(
                std::move(set).error().within("invalid range set " + std::to_string(sets.size())));
        sets.push_back(*std::move(set));
    }

    const auto ipv4 = std::count_if(sets.begin(), sets.end(), [](const RangeSet &set) {
        return set.family() == Family::kIpv4;
    });
    const auto ipv6 = static_cast<std::ptrdiff_t>(sets.size()) - ipv4;
    const bool old = version.empty() || version == "0.1.0" || version == "0.2.0";
    if (old && (ipv4 > 1 || ipv6 > 1))
        return refuse("CNI version " + version +
                      " does not support more than 1 address per family");

    for (std::size_t i = 0; i < sets.size(); ++i) {
        for (std::size_t j = i + 1; j < sets.size(); ++j) {
            if (sets[i].overlaps(sets[j]))
                return refuse("range set " + std::to_string(i) + " overlaps with " +
                              std::to_string(j));
        }
    }
    return sets;
}

// runtimeConfig.ipRanges, then the one range of the old style, then ranges.
Result<std::vector<RangeSetConfig>> read_sets(const Json &ipam, const Json &runtime)
{
    std::vector<RangeSetConfig> sets;
    TORTIE_DO(append_sets(runtime, "ipRanges", sets));
    TORTIE_TRY(const RangeConfig old_style, read_range(ipam));
    if (old_style.subnet)
        sets.push_back({old_style});
    TORTIE_DO(append_sets(ipam, "ranges", sets));
    return sets;
}

Result<std::vector<cni::Route>> read_routes(const Json &ipam)
{
    std::vector<cni::Route> routes;
    TORTIE_TRY(const auto objects, ipam.elements("routes"));
    for (const Json &object : objects) {
        TORTIE_TRY(const cni::Route route, cni::parse_route(object));
        routes.push_back(route);
    }
    return routes;
}

// What must be text although nobody reads it here; data_dir_of() would forgive a wrong type.
Result<> check_texts(const Json &ipam)
{
    for (const char *key : {"type", "name", "dataDir"})
        TORTIE_DO(ipam.string(key));
    return {};
}

}  // namespace

Result<Config> parse_config(const cni::Request &request)
{
    TORTIE_TRY(const Json ipam, request.config.object("ipam"));
    if (!ipam.present())
        return refuse("IPAM config missing 'ipam' key");
    TORTIE_TRY(const Json runtime, request.config.object("runtimeConfig"));

    Config config;
    TORTIE_DO(check_texts(ipam));
    config.data_dir = data_dir_of(request.config);
    TORTIE_TRY(config.resolv_conf, ipam.string("resolvConf"));
    TORTIE_TRY(config.status_fails_when_exhausted, ipam.boolean("statusFailsWhenExhausted", false));
    TORTIE_TRY(config.routes, read_routes(ipam));
    TORTIE_TRY(const auto sets, read_sets(ipam, runtime));
    TORTIE_TRY(config.requested, read_requests(request, runtime));
    TORTIE_TRY(const std::string version, request.config.string("cniVersion"));
    TORTIE_TRY(config.sets, check_sets(sets, version));
    return config;
}

std::string data_dir_of(const cni::Json &config)
{
    const auto text = config.at("ipam").string("dataDir");
    return text && !text->empty() ? *text : std::string(kDefaultDataDir);
}

}  // namespace tortie::host_local
