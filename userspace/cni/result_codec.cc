// SPDX-License-Identifier: Apache-2.0
#include "cni/result_codec.h"

#include <algorithm>

#include "base/strings.h"
#include "cni/json_address.h"
#include "cni/version.h"

namespace tortie::cni {
namespace {

// ---- writing -------------------------------------------------------------------------------

void set_if(JsonWriter &object, std::string_view key, const std::string &value)
{
    if (!value.empty())
        object.set(key, value);
}

void set_if(JsonWriter &object, std::string_view key, const std::optional<std::int64_t> &value)
{
    if (value)
        object.set(key, *value);
}

void set_if(JsonWriter &object, std::string_view key, const std::vector<std::string> &value)
{
    if (!value.empty())
        object.set(key, value);
}

void set_if(JsonWriter &object, std::string_view key, const std::optional<IpAddr> &value)
{
    if (value)
        object.set(key, value->to_string());
}

// Keys of 1.x come out in alphabetical order, those of older versions in the order of Go's
// structures; so each shape has its function and none a table.

JsonWriter dns_1x(const Dns &dns)
{
    JsonWriter object;
    set_if(object, "domain", dns.domain);
    set_if(object, "nameservers", dns.nameservers);
    set_if(object, "options", dns.options);
    set_if(object, "search", dns.search);
    return object;
}

JsonWriter dns_0x(const Dns &dns)
{
    JsonWriter object;
    set_if(object, "nameservers", dns.nameservers);
    set_if(object, "domain", dns.domain);
    set_if(object, "search", dns.search);
    set_if(object, "options", dns.options);
    return object;
}

JsonWriter route_1x(const Route &route)
{
    JsonWriter object;
    set_if(object, "advmss", route.advmss);
    object.set("dst", route.dst.to_string());
    set_if(object, "gw", route.gw);
    set_if(object, "mtu", route.mtu);
    set_if(object, "priority", route.priority);
    set_if(object, "scope", route.scope);
    set_if(object, "table", route.table);
    return object;
}

JsonWriter route_03(const Route &route)
{
    JsonWriter object;
    object.set("dst", route.dst.to_string());
    set_if(object, "gw", route.gw);
    set_if(object, "mtu", route.mtu);
    set_if(object, "advmss", route.advmss);
    set_if(object, "priority", route.priority);
    set_if(object, "table", route.table);
    set_if(object, "scope", route.scope);
    return object;
}

JsonWriter interface_1x(const Interface &interface)
{
    JsonWriter object;
    set_if(object, "mac", interface.mac);
    if (interface.mtu != 0)
        object.set("mtu", interface.mtu);
    object.set("name", interface.name);
    set_if(object, "pciID", interface.pci_id);
    set_if(object, "sandbox", interface.sandbox);
    set_if(object, "socketPath", interface.socket_path);
    return object;
}

JsonWriter interface_03(const Interface &interface)
{
    JsonWriter object;
    object.set("name", interface.name);
    set_if(object, "mac", interface.mac);
    set_if(object, "sandbox", interface.sandbox);
    return object;
}

JsonWriter ip_1x(const IpConfig &ip)
{
    JsonWriter object;
    object.set("address", ip.address.to_string());
    set_if(object, "gateway", ip.gateway);
    set_if(object, "interface", ip.interface);
    return object;
}

JsonWriter ip_03_of_version(const IpConfig &ip, std::string_view version)
{
    JsonWriter object;
    object.set("version", version);
    set_if(object, "interface", ip.interface);
    object.set("address", ip.address.to_string());
    set_if(object, "gateway", ip.gateway);
    return object;
}

JsonWriter ip_03(const IpConfig &ip)
{
    return ip_03_of_version(ip, ip.address.addr.family() == Family::kIpv4 ? "4" : "6");
}

JsonWriter ip_03_as_read(const IpConfig &ip)
{
    return ip_03_of_version(ip, ip.version);
}

using IpWriter = JsonWriter (*)(const IpConfig &);

template <class T>
void set_list(JsonWriter &object, std::string_view key, const std::vector<T> &values,
              JsonWriter (*write)(const T &))
{
    std::vector<JsonWriter> list;
    list.reserve(values.size());
    for (const T &value : values)
        list.push_back(write(value));
    if (!list.empty())
        object.set(key, list);
}

std::string print_1x(const CniResult &result, std::string_view version)
{
    JsonWriter object;
    object.set("cniVersion", version);
    const JsonWriter dns = dns_1x(result.dns);
    if (!dns.empty())
        object.set("dns", dns);
    set_list(object, "interfaces", result.interfaces, interface_1x);
    set_list(object, "ips", result.ips, ip_1x);
    set_list(object, "routes", result.routes, route_1x);
    return object.text(4);
}

std::string print_03(const CniResult &result, std::string_view version, IpWriter write_ip)
{
    JsonWriter object;
    object.set("cniVersion", version);
    set_list(object, "interfaces", result.interfaces, interface_03);
    set_list(object, "ips", result.ips, write_ip);
    set_list(object, "routes", result.routes, route_03);
    object.set("dns", dns_0x(result.dns));
    return object.text(4);
}

// One family of an 0.1.0 result, if it has an address: the first one, and the routes to
// destinations of the family.
void set_family_01(JsonWriter &object, const CniResult &result, Family family)
{
    const auto ip = std::find_if(result.ips.begin(), result.ips.end(), [&](const IpConfig &each) {
        return each.address.addr.family() == family;
    });
    if (ip == result.ips.end())
        return;
    JsonWriter config;
    config.set("ip", ip->address.to_string());
    set_if(config, "gateway", ip->gateway);
    std::vector<JsonWriter> routes;
    for (const Route &route : result.routes) {
        if (route.dst.addr.family() != family)
            continue;
        JsonWriter each;
        each.set("dst", route.dst.to_string());
        set_if(each, "gw", route.gw);
        routes.push_back(std::move(each));
    }
    if (!routes.empty())
        config.set("routes", routes);
    object.set(family == Family::kIpv4 ? "ip4" : "ip6", config);
}

std::string print_01(const CniResult &result, std::string_view version)
{
    JsonWriter object;
    object.set("cniVersion", version);
    set_family_01(object, result, Family::kIpv4);
    set_family_01(object, result, Family::kIpv6);
    object.set("dns", dns_0x(result.dns));
    return object.text(4);
}

// ---- reading -------------------------------------------------------------------------------

// One that must be there.
Result<Cidr> network_at(const Json &object, std::string_view key)
{
    TORTIE_TRY(const auto cidr, cidr_at(object, key));
    if (!cidr)
        return fail(ErrorKind::kInvalidInput, "invalid CIDR address: ");
    return *cidr;
}

Result<Interface> read_interface(const Json &object)
{
    Interface interface;
    TORTIE_TRY(interface.name, object.string("name"));
    TORTIE_TRY(interface.mac, object.string("mac"));
    TORTIE_TRY(interface.mtu, object.integer("mtu", 0));
    TORTIE_TRY(interface.sandbox, object.string("sandbox"));
    TORTIE_TRY(interface.socket_path, object.string("socketPath"));
    TORTIE_TRY(interface.pci_id, object.string("pciID"));
    return interface;
}

Result<IpConfig> read_ip(const Json &object)
{
    IpConfig ip;
    TORTIE_TRY(ip.address, network_at(object, "address"));
    TORTIE_TRY(ip.gateway, address_at(object, "gateway"));
    TORTIE_TRY(ip.interface, object.optional_integer("interface"));
    TORTIE_TRY(ip.version, object.string("version"));
    return ip;
}

template <class T>
Result<> read_list(const Json &object, std::string_view key, Result<T> (*read)(const Json &),
                   std::vector<T> &into)
{
    TORTIE_TRY(const auto elements, object.elements(key));
    for (const Json &element : elements) {
        if (!element.is_object())
            return fail(ErrorKind::kInvalidInput, "json: cannot unmarshal an element of " +
                                                      std::string(key) + " that is not an object");
        TORTIE_TRY(T value, read(element));
        into.push_back(std::move(value));
    }
    return {};
}

Result<> read_family_01(const Json &object, std::string_view key, CniResult &into)
{
    TORTIE_TRY(const Json config, object.object(key));
    if (!config.present())
        return {};
    IpConfig ip;
    TORTIE_TRY(ip.address, network_at(config, "ip"));
    TORTIE_TRY(ip.gateway, address_at(config, "gateway"));
    into.ips.push_back(ip);
    return read_list<Route>(config, "routes", parse_route, into.routes);
}

Result<CniResult> read_01(const Json &object)
{
    CniResult result;
    TORTIE_DO(read_family_01(object, "ip4", result));
    TORTIE_DO(read_family_01(object, "ip6", result));
    TORTIE_TRY(const Json dns, object.object("dns"));
    TORTIE_TRY(result.dns, parse_dns(dns));
    return result;
}

Result<CniResult> read_newer(const Json &object)
{
    CniResult result;
    TORTIE_DO(read_list<Interface>(object, "interfaces", read_interface, result.interfaces));
    TORTIE_DO(read_list<IpConfig>(object, "ips", read_ip, result.ips));
    TORTIE_DO(read_list<Route>(object, "routes", parse_route, result.routes));
    TORTIE_TRY(const Json dns, object.object("dns"));
    TORTIE_TRY(result.dns, parse_dns(dns));
    return result;
}

// "[1.0.0 1.1.0]": the members of a family, as Go prints a list. The oldest one's has the empty
// version in front.
std::string family_text(ResultFamily family)
{
    std::vector<std::string> members(family == ResultFamily::kV01 ? 1 : 0);
    for (const std::string_view version : supported_versions()) {
        if (result_family(version) == family)
            members.emplace_back(version);
    }
    return '[' + join(members, " ") + ']';
}

tl::unexpected<Error> wrong_version(ResultFamily wanted, const std::string &version)
{
    return fail(ErrorKind::kInvalidInput, "result type supports " + family_text(wanted) +
                                              " but unmarshalled CNIVersion is \"" + version + '"');
}

std::string print(const CniResult &result, std::string_view version, IpWriter ip_of_03)
{
    switch (result_family(version).value_or(ResultFamily::kV10)) {
    case ResultFamily::kV01:
        return print_01(result, version);
    case ResultFamily::kV03:
        return print_03(result, version, ip_of_03);
    case ResultFamily::kV10:
        break;
    }
    return print_1x(result, version);
}

// Go leaves a 0 out of what it prints.
Result<std::optional<std::int64_t>> number_but_0(const Json &object, std::string_view key)
{
    TORTIE_TRY(const std::int64_t number, object.integer(key, 0));
    return number == 0 ? std::nullopt : std::optional(number);
}

}  // namespace

Result<std::string> print_result(const CniResult &result, std::string_view version)
{
    if (result_family(version) == ResultFamily::kV01 && result.ips.empty())
        return fail(ErrorKind::kInvalidInput, "cannot convert: no valid IP addresses");
    return print(result, version, ip_03);
}

std::string print_previous(const CniResult &result, std::string_view version)
{
    return print(result, version, ip_03_as_read);
}

Result<Route> parse_route(const Json &object)
{
    if (object.present() && !object.is_object())
        return fail(ErrorKind::kInvalidInput,
                    "json: cannot unmarshal a route that is not an object");
    Route route;
    TORTIE_TRY(route.dst, network_at(object, "dst"));
    TORTIE_TRY(route.gw, address_at(object, "gw"));
    TORTIE_TRY(route.mtu, number_but_0(object, "mtu"));
    TORTIE_TRY(route.advmss, number_but_0(object, "advmss"));
    TORTIE_TRY(route.priority, number_but_0(object, "priority"));
    TORTIE_TRY(route.table, object.optional_integer("table"));
    TORTIE_TRY(route.scope, object.optional_integer("scope"));
    return route;
}

Result<Dns> parse_dns(const Json &object)
{
    Dns dns;
    TORTIE_TRY(dns.nameservers, object.strings("nameservers"));
    TORTIE_TRY(dns.domain, object.string("domain"));
    TORTIE_TRY(dns.search, object.strings("search"));
    TORTIE_TRY(dns.options, object.strings("options"));
    return dns;
}

Result<CniResult> parse_result(const Json &object, std::string_view version)
{
    const auto family = result_family(version);
    if (!family)
        return fail(ErrorKind::kInvalidInput,
                    "unsupported CNI result version \"" + std::string(version) + '"');
    TORTIE_TRY(const std::string own, object.string("cniVersion"));
    if (!own.empty() && result_family(own) != family)
        return wrong_version(*family, own);
    return *family == ResultFamily::kV01 ? read_01(object) : read_newer(object);
}

Result<std::optional<CniResult>> previous_result(const Json &config, std::string_view version)
{
    const auto parse = [&]() -> Result<std::optional<CniResult>> {
        TORTIE_TRY(const Json object, config.object("prevResult"));
        if (!object.present())
            return std::nullopt;
        TORTIE_TRY(CniResult result, parse_result(object, version));
        TORTIE_TRY(const auto own, object.optional_string("cniVersion"));
        if (own && own->empty() && result_family(version) != ResultFamily::kV01)
            return wrong_version(*result_family(version), *own);
        return result;
    };
    auto result = parse();
    if (!result)
        return fail(std::move(result).error().within("could not parse prevResult"));
    return result;
}

}  // namespace tortie::cni
