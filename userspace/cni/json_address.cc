// SPDX-License-Identifier: Apache-2.0
#include "cni/json_address.h"

#include <algorithm>
#include <string>

#include "base/strings.h"

namespace tortie::cni {

Result<std::optional<IpAddr>> address_at(const Json &object, std::string_view key)
{
    TORTIE_TRY(const std::string text, object.string(key));
    if (text.empty())
        return std::nullopt;
    const auto ip = IpAddr::parse(text);
    if (!ip)
        return fail(ErrorKind::kInvalidInput, "invalid IP address: " + text);
    return ip;
}

std::optional<Cidr> parse_cidr(std::string_view text)
{
    if (const auto cidr = Cidr::parse(text))
        return cidr;
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || text.find(':') > slash)
        return std::nullopt;
    const auto addr = IpAddr::parse(text.substr(0, slash));
    const auto prefix = parse_number<unsigned>(text.substr(slash + 1));
    if (!addr || addr->family() != Family::kIpv4 || !prefix || *prefix > width_bits(Family::kIpv6))
        return std::nullopt;
    constexpr unsigned kMappedBits = 96;
    return Cidr{*addr, *prefix - std::min(*prefix, kMappedBits)};
}

Result<std::optional<Cidr>> cidr_at(const Json &object, std::string_view key)
{
    TORTIE_TRY(const auto text, object.optional_string(key));
    if (!text && object.at(key).dump() == "null")  // other readers take null for absent, Go's not
        return fail(ErrorKind::kInvalidInput, "invalid CIDR address: ");
    if (!text)
        return std::nullopt;
    const auto cidr = parse_cidr(*text);
    if (!cidr)
        return fail(ErrorKind::kInvalidInput, "invalid CIDR address: " + *text);
    return cidr;
}

}  // namespace tortie::cni
