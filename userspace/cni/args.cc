// SPDX-License-Identifier: Apache-2.0
#include "cni/args.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"

namespace tortie::cni {
namespace {

std::optional<bool> boolean(std::string_view text)
{
    if (text == "1" || equals_ignore_case(text, "true"))
        return true;
    if (text == "0" || equals_ignore_case(text, "false"))
        return false;
    return std::nullopt;
}

}  // namespace

Result<std::map<std::string, std::string, std::less<>>> parse_args(
    std::string_view text, const std::vector<std::string_view> &known)
{
    std::map<std::string, std::string, std::less<>> args;
    if (text.empty())
        return args;
    bool ignore_unknown = false;
    std::string unknown;
    for (const std::string_view pair : split(text, ';')) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos ||
            pair.find('=', equals + 1) != std::string_view::npos)
            return fail(ErrorKind::kInvalidInput, "ARGS: invalid pair " + go_quoted(pair));
        const std::string_view key = pair.substr(0, equals);
        const std::string_view value = pair.substr(equals + 1);
        if (key == "IgnoreUnknown") {
            const auto flag = boolean(value);
            if (!flag)
                return fail(ErrorKind::kInvalidInput,
                            "ARGS: error parsing value of pair " + go_quoted(pair) +
                                ": boolean unmarshal error: invalid input " + ascii_lower(value));
            ignore_unknown = *flag;
        } else if (std::find(known.begin(), known.end(), key) != known.end()) {
            args.insert_or_assign(std::string(key), std::string(value));
        } else {
            unknown += (unknown.empty() ? "" : " ") + go_quoted(pair);
        }
    }
    if (!ignore_unknown && !unknown.empty())
        return fail(ErrorKind::kInvalidInput, "ARGS: unknown args [" + unknown + "]");
    return args;
}

}  // namespace tortie::cni
