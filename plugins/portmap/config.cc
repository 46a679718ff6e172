// SPDX-License-Identifier: Apache-2.0
#include "portmap/config.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "cni/common_keys.h"
#include "cni/json.h"
#include "cni/result_codec.h"
#include "sys/iptables.h"

namespace tortie::portmap {
namespace {

constexpr std::int64_t kMaxPort = 65535;
constexpr std::size_t kMaxChainNameBytes = 28;  // iptables takes no longer one

// One element of runtimeConfig.portMappings as written.
struct RawMapping {
    std::int64_t host_port = 0;
    std::int64_t container_port = 0;
    std::string protocol;
    std::string host_ip;
};

// The keys as written, before anything is judged: a wrong type is reported before a wrong value.
struct RawConfig {
    std::optional<std::string> backend;
    std::optional<std::string> datapath;
    std::optional<std::int64_t> mark_masq_bit;
    std::optional<std::string> external_set_mark_chain;
    bool snat = true;
    bool masq_all = false;
    std::vector<std::string> conditions_v4;
    std::vector<std::string> conditions_v6;
    std::vector<RawMapping> mappings;
};

tl::unexpected<Error> refuse(std::string text)
{
    return fail(ErrorKind::kInvalidInput, std::move(text));
}

Result<RawMapping> read_mapping(const cni::Json &json)
{
    if (json.present() && !json.is_object())
        return refuse("json: cannot unmarshal an element of portMappings that is not an object");
    RawMapping raw;
    TORTIE_TRY(raw.host_port, json.integer("hostPort", 0));
    TORTIE_TRY(raw.container_port, json.integer("containerPort", 0));
    TORTIE_TRY(raw.protocol, json.string("protocol"));
    TORTIE_TRY(raw.host_ip, json.string("hostIP"));
    return raw;
}

Result<std::vector<RawMapping>> read_mappings(const cni::Json &json)
{
    TORTIE_TRY(const cni::Json runtime, json.object("runtimeConfig"));
    TORTIE_TRY(const std::vector<cni::Json> elements, runtime.elements("portMappings"));
    std::vector<RawMapping> mappings;
    mappings.reserve(elements.size());
    for (const cni::Json &element : elements) {
        TORTIE_TRY(RawMapping mapping, read_mapping(element));
        mappings.push_back(std::move(mapping));
    }
    return mappings;
}

Result<RawConfig> read_keys(const cni::Json &json)
{
    TORTIE_DO(cni::check_common_keys(json));
    RawConfig raw;
    TORTIE_TRY(raw.backend, json.optional_string("backend"));
    TORTIE_TRY(raw.snat, json.boolean("snat", true));
    TORTIE_TRY(raw.conditions_v4, json.strings("conditionsV4"));
    TORTIE_TRY(raw.conditions_v6, json.strings("conditionsV6"));
    TORTIE_TRY(raw.masq_all, json.boolean("masqAll", false));
    TORTIE_TRY(raw.mark_masq_bit, json.optional_integer("markMasqBit"));
    TORTIE_TRY(raw.mappings, read_mappings(json));
    TORTIE_TRY(raw.external_set_mark_chain, json.optional_string("externalSetMarkChain"));
    TORTIE_TRY(raw.datapath, json.optional_string("datapath"));
    return raw;
}

Result<std::optional<cni::CniResult>> read_previous(const cni::Request &request)
{
    auto previous = cni::previous_result(request.config, request.cni_version);
    if (!previous)  // the prefix stands there twice, as in the Go plugin
        return fail(std::move(previous).error().within("could not parse prevResult"));
    return previous;
}

// Whose words the conditions are; nullopt for none. No nft expression starts like this, and every
// condition of iptables does.
std::optional<Backend> words_of(const std::vector<std::string> &conditions)
{
    if (conditions.empty() || conditions[0].empty())
        return std::nullopt;
    const char first = conditions[0][0];
    return first == '-' || first == '!' ? Backend::kIptables : Backend::kNftables;
}

std::string_view name_of(Backend backend)
{
    return backend == Backend::kIptables ? "iptables" : "nftables";
}

// Options of the other backend, by name.
std::vector<std::string> options_of(Backend backend, const RawConfig &raw)
{
    std::vector<std::string> names;
    if (backend == Backend::kIptables && raw.external_set_mark_chain)
        names.emplace_back("externalSetMarkChain");
    if (words_of(raw.conditions_v4) == backend)
        names.emplace_back("conditionsV4");
    if (words_of(raw.conditions_v6) == backend)
        names.emplace_back("conditionsV6");
    return names;
}

Result<Backend> choose_backend(const RawConfig &raw)
{
    const bool only_iptables = raw.mark_masq_bit || !options_of(Backend::kIptables, raw).empty();
    const std::string asked =
        raw.backend.value_or(std::string(only_iptables ? "iptables" : "nftables"));
    // As the Go plugin: whatever is not iptables must do without its options, even nonsense.
    const Backend backend = asked == "iptables" ? Backend::kIptables : Backend::kNftables;
    const Backend other = backend == Backend::kIptables ? Backend::kNftables : Backend::kIptables;
    if (const auto wrong = options_of(other, raw); !wrong.empty())
        return refuse(asked + " backend was requested but configuration contains " +
                      std::string(name_of(other)) + "-specific options [" + join(wrong, " ") + ']');
    if (asked != name_of(backend))
        return refuse("unrecognized backend " + go_quoted(asked));
    return backend;
}

Result<caps::Datapath> choose_datapath(const RawConfig &raw)
{
    if (!raw.datapath)
        return caps::Datapath::kAuto;
    const auto datapath = caps::find_datapath(*raw.datapath);
    if (!datapath)
        return refuse("unrecognized datapath " + go_quoted(*raw.datapath));
    return *datapath;
}

// Nothing of the configuration may end a line of iptables-restore or of nft. To nft, and only to
// nft, an empty word is nothing.
Result<> check_words(std::string_view key, const std::vector<std::string> &conditions,
                     Backend backend)
{
    for (const std::string &word : conditions) {
        if (word.empty() && backend == Backend::kNftables)
            continue;
        if (auto usable = restore_word(word); !usable)
            return fail(std::move(usable).error().within("invalid " + std::string(key)));
    }
    return {};
}

Result<> check_chain(const std::string &chain)
{
    const bool plain = std::all_of(chain.begin(), chain.end(), [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\';
    });
    if (!plain || chain.empty() || chain.size() > kMaxChainNameBytes || chain[0] == '-' ||
        chain[0] == '!')
        return refuse("invalid externalSetMarkChain " + go_quoted(chain));
    return {};
}

Result<PortPolicy> policy_of(const RawConfig &raw, Backend backend)
{
    TORTIE_DO(check_words("conditionsV4", raw.conditions_v4, backend));
    TORTIE_DO(check_words("conditionsV6", raw.conditions_v6, backend));
    if (raw.external_set_mark_chain)
        TORTIE_DO(check_chain(*raw.external_set_mark_chain));
    PortPolicy policy;
    policy.snat = raw.snat;
    policy.masq_all = raw.masq_all;
    policy.mark_masq_bit = static_cast<unsigned>(raw.mark_masq_bit.value_or(policy.mark_masq_bit));
    policy.external_set_mark_chain = raw.external_set_mark_chain.value_or("");
    policy.conditions_v4 = raw.conditions_v4;
    policy.conditions_v6 = raw.conditions_v6;
    return policy;
}

Result<PortMapping> mapping_of(const RawMapping &raw)
{
    if (raw.container_port <= 0 || raw.container_port > kMaxPort)
        return refuse("Invalid container port number: " + std::to_string(raw.container_port));
    if (raw.host_port <= 0 || raw.host_port > kMaxPort)
        return refuse("Invalid host port number: " + std::to_string(raw.host_port));
    const auto protocol = protocol_named(raw.protocol);
    if (!protocol)
        return refuse("Invalid protocol: " + go_quoted(raw.protocol));
    PortMapping mapping;
    mapping.host_port = static_cast<std::uint16_t>(raw.host_port);
    mapping.container_port = static_cast<std::uint16_t>(raw.container_port);
    mapping.protocol = *protocol;
    mapping.protocol_text = raw.protocol;
    if (raw.host_ip.empty())
        return mapping;
    mapping.host_ip = IpAddr::parse(raw.host_ip);
    if (!mapping.host_ip)
        return refuse("Invalid host IP: " + go_quoted(raw.host_ip));
    return mapping;
}

// An address counts unless it is known to be of another interface, or of one outside the pod.
bool is_the_containers(const cni::IpConfig &ip, const cni::CniResult &result,
                       const std::string &ifname)
{
    if (!ip.interface || *ip.interface < 0 ||
        *ip.interface >= static_cast<std::int64_t>(result.interfaces.size()))
        return true;
    const cni::Interface &interface = result.interfaces[static_cast<std::size_t>(*ip.interface)];
    return interface.name == ifname && !interface.sandbox.empty();
}

// The first one of each family, IPv4 in front.
std::vector<Cidr> addresses_of(const cni::CniResult &result, const std::string &ifname)
{
    std::vector<Cidr> addresses;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        const auto found =
            std::find_if(result.ips.begin(), result.ips.end(), [&](const cni::IpConfig &ip) {
                return ip.address.addr.family() == family && is_the_containers(ip, result, ifname);
            });
        if (found != result.ips.end())
            addresses.push_back(found->address);
    }
    return addresses;
}

Attachment attachment_of(const cni::Request &request)
{
    return {
        .network = request.network, .container_id = request.container_id, .ifname = request.ifname};
}

}  // namespace

Result<Config> parse_config(const cni::Request &request)
{
    auto keys = read_keys(request.config);
    if (!keys)
        return fail(std::move(keys).error().within("failed to parse network configuration"));
    const RawConfig &raw = *keys;

    Config config;
    TORTIE_TRY(config.previous, read_previous(request));
    if (raw.mark_masq_bit && raw.external_set_mark_chain)
        return refuse("Cannot specify externalSetMarkChain and markMasqBit");
    if (raw.mark_masq_bit && (*raw.mark_masq_bit < 0 || *raw.mark_masq_bit > 31))
        return refuse("MasqMarkBit must be between 0 and 31");
    TORTIE_TRY(config.backend, choose_backend(raw));
    config.backend_given = raw.backend.has_value();
    TORTIE_TRY(config.datapath, choose_datapath(raw));

    Publication &publication = config.publication;
    publication.attachment = attachment_of(request);
    for (const RawMapping &mapping : raw.mappings) {
        TORTIE_TRY(PortMapping one, mapping_of(mapping));
        publication.mappings.push_back(std::move(one));
    }
    TORTIE_TRY(publication.policy, policy_of(raw, config.backend));
    if (config.previous)
        publication.addresses = addresses_of(*config.previous, request.ifname);
    return config;
}

Config salvage_config(const cni::Request &request)
{
    Config config;
    config.publication.attachment = attachment_of(request);
    if (const auto previous = read_previous(request); previous && *previous)
        config.publication.addresses = addresses_of(**previous, request.ifname);
    return config;
}

}  // namespace tortie::portmap
