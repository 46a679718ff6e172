// SPDX-License-Identifier: Apache-2.0
#include "http/proxy.h"

#include <algorithm>

#include "base/ip_addr.h"
#include "base/strings.h"
#include "http/url.h"

namespace tortie::http {
namespace {

std::string_view value_of(const GetEnv &get_env, const char *upper, const char *lower_case)
{
    for (const char *name : {upper, lower_case}) {
        const char *value = get_env(name);
        if (value && *value)
            return value;
    }
    return {};
}

// One entry of NO_PROXY, without its port and brackets.
struct Exemption {
    std::string_view host;
    std::string_view port;  // empty: every port
};

Exemption split_port(std::string_view entry)
{
    if (entry.starts_with('[')) {
        const std::size_t end = entry.find(']');
        if (end == std::string_view::npos)
            return {entry, {}};
        const std::string_view rest = entry.substr(end + 1);
        return {entry.substr(1, end - 1), rest.starts_with(':') ? rest.substr(1) : rest};
    }
    const std::size_t colon = entry.find(':');
    if (colon == std::string_view::npos || entry.find(':', colon + 1) != std::string_view::npos)
        return {entry, {}};  // no port, or a bare IPv6 address
    return {entry.substr(0, colon), entry.substr(colon + 1)};
}

bool names_domain(std::string_view pattern, std::string_view host)
{
    if (pattern.starts_with("*."))
        pattern.remove_prefix(1);
    if (pattern.starts_with('.'))
        return host.ends_with(pattern);
    return host == pattern || host.ends_with("." + std::string(pattern));
}

bool exempts(std::string_view entry, const std::string &host, const std::optional<IpAddr> &ip,
             std::uint16_t port)
{
    if (entry == "*")
        return true;
    if (const auto cidr = Cidr::parse(entry))
        return ip && cidr->contains(*ip);
    const Exemption exemption = split_port(entry);
    if (exemption.host.empty())
        return false;
    if (!exemption.port.empty() && exemption.port != std::to_string(port))
        return false;
    if (const auto address = IpAddr::parse(exemption.host))
        return ip && *ip == *address;
    return names_domain(exemption.host, host);
}

bool is_exempt(std::string_view no_proxy, const Server &server)
{
    const std::string host = ascii_lower(server.host);
    const auto ip = IpAddr::parse(host);
    if (host == "localhost" || (ip && ip->is_loopback()))
        return true;
    const std::string list = ascii_lower(no_proxy);
    for (const std::string_view entry : split(list, ',')) {
        if (const auto text = trim(entry); !text.empty() && exempts(text, host, ip, server.port))
            return true;
    }
    return false;
}

}  // namespace

Result<std::optional<Proxy>> proxy_from_environment(const GetEnv &get_env, const Server &server)
{
    const std::string_view url = server.tls ? value_of(get_env, "HTTPS_PROXY", "https_proxy")
                                            : value_of(get_env, "HTTP_PROXY", "http_proxy");
    if (url.empty() || is_exempt(value_of(get_env, "NO_PROXY", "no_proxy"), server))
        return std::optional<Proxy>();
    TORTIE_TRY(Proxy proxy, parse_proxy(url));
    return std::optional(std::move(proxy));
}

Result<Proxy> parse_proxy(std::string_view url)
{
    const std::string whole =
        url.find("://") == std::string_view::npos ? "http://" + std::string(url) : std::string(url);
    auto parsed = parse_url(whole);
    if (!parsed)
        return fail(std::move(parsed).error().within("invalid proxy address"));
    if (parsed->scheme != "http" && parsed->scheme != "https") {
        return fail(ErrorKind::kUnsupported, "proxy " + parsed->scheme + "://" + parsed->address() +
                                                 ": only http and https proxies are supported");
    }
    return Proxy{.https = parsed->scheme == "https",
                 .host = std::move(parsed->host),
                 .port = parsed->port,
                 .user_info = std::move(parsed->user_info)};
}

}  // namespace tortie::http
