// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"

namespace tortie::http {
namespace {

std::optional<std::string> percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        unsigned value = 0;
        const char *digits = text.data() + at + 1;
        if (text.size() - at < 3 ||
            std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
            return std::nullopt;
        out += static_cast<char>(value);
        at += 2;
    }
    return out;
}

std::optional<std::uint16_t> default_port(std::string_view scheme)
{
    if (scheme == "https")
        return 443;
    if (scheme == "http")
        return 80;
    if (scheme == "socks5" || scheme == "socks5h")
        return 1080;
    return std::nullopt;
}

// Characters that would end a header line or a Host field must not come in through a file.
bool is_plain(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_host(std::string_view host)
{
    return !host.empty() && host.size() <= 253 &&
           host.find_first_of("/?#@[]<>\"\\^`{|}%") == std::string_view::npos;
}

// "host", "host:port", "[v6]", "[v6]:port" into `url`, whose port is the default already.
bool take_authority(std::string_view text, Url &url)
{
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos)
            return false;
        url.host = ascii_lower(text.substr(1, end - 1));
        port = text.substr(end + 1);
    } else {
        const std::size_t colon = text.find(':');
        url.host = ascii_lower(text.substr(0, colon));
        port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    }
    if (!is_host(url.host) || (!port.empty() && port.front() != ':'))
        return false;
    if (port.size() <= 1)
        return true;
    const auto number = parse_number<std::uint16_t>(port.substr(1));
    if (!number || *number == 0)
        return false;
    url.port = *number;
    return true;
}

Result<Url> parse(std::string_view text)
{
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos || !is_plain(text))
        return fail(ErrorKind::kInvalidInput, "not a URL");
    Url url;
    url.scheme = ascii_lower(text.substr(0, colon));
    const auto port = default_port(url.scheme);
    if (!port)
        return fail(ErrorKind::kInvalidInput, "unsupported scheme " + go_quoted(url.scheme));
    url.port = *port;
    text.remove_prefix(colon + 3);

    const std::size_t path = std::min(text.find_first_of("/?#"), text.size());
    std::string_view authority = text.substr(0, path);
    text.remove_prefix(path);
    if (text.find_first_of("?#") != std::string_view::npos)
        return fail(ErrorKind::kInvalidInput, "a query or a fragment has no place in it");
    while (text.ends_with('/'))
        text.remove_suffix(1);
    url.path = text;

    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        auto user_info = percent_decoded(authority.substr(0, at));
        if (!user_info)
            return fail(ErrorKind::kInvalidInput, "bad escape in the user");
        url.user_info = *std::move(user_info);
        authority.remove_prefix(at + 1);
    }
    if (!take_authority(authority, url))
        return fail(ErrorKind::kInvalidInput, "bad host or port");
    return url;
}

}  // namespace

std::string Url::address() const
{
    return join_host_port(host, port);
}

Result<Url> parse_url(std::string_view text)
{
    auto url = parse(text);
    if (url)
        return url;
    const bool secret = text.find('@') != std::string_view::npos;
    return fail(std::move(url).error().within("parse " + (secret ? "the URL" : go_quoted(text))));
}

std::string join_host_port(std::string_view host, std::uint16_t port)
{
    const bool v6 = host.find(':') != std::string_view::npos;
    std::string out;
    out += v6 ? "[" : "";
    out += host;
    out += v6 ? "]:" : ":";
    return out + std::to_string(port);
}

std::string percent_encoded(std::string_view text)
{
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                                c == '~';
        if (unreserved) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return out;
}

}  // namespace tortie::http
