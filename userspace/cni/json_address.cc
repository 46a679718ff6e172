// SPDX-License-Identifier: Apache-2.0
#include "cni/json_address.h"

#include <string>

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

Result<std::optional<Cidr>> cidr_at(const Json &object, std::string_view key)
{
    TORTIE_TRY(const auto text, object.optional_string(key));
    if (!text)
        return std::nullopt;
    const auto cidr = Cidr::parse(*text);
    if (!cidr)
        return fail(ErrorKind::kInvalidInput, "invalid CIDR address: " + *text);
    return cidr;
}

}  // namespace tortie::cni
