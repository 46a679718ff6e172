// SPDX-License-Identifier: Apache-2.0
#include "calico/flags.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/strings.h"

namespace tortie::calico_cni {
namespace {

std::string usage(std::string_view program, std::span<const Flag> flags)
{
    std::string text = "Usage of " + std::string(program) + ":\n";
    for (const Flag &flag : flags) {
        text += "  -" + std::string(flag.name);
        if (!flag.value_name.empty())
            text += ' ' + std::string(flag.value_name);
        // Go puts the help of a one-letter switch on the same line.
        const bool one_letter = flag.name.size() == 1 && flag.value_name.empty();
        text += (one_letter ? "\t" : "\n    \t") + std::string(flag.help) + '\n';
    }
    return text;
}

// strconv.ParseBool
std::optional<bool> boolean(std::string_view text)
{
    constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "TRUE", "true", "True"};
    constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "FALSE", "false", "False"};
    if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end())
        return true;
    if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end())
        return false;
    return std::nullopt;
}

}  // namespace

std::string Flags::value(std::string_view name) const
{
    const auto found = given_.find(name);
    return found == given_.end() ? std::string() : found->second;
}

class FlagReader {
public:
    FlagReader(std::string_view program, std::span<const Flag> flags,
               std::span<const char *const> arguments)
        : program_(program), flags_(flags), left_(arguments)
    {
    }

    tl::expected<Flags, FlagRefusal> read()
    {
        while (!left_.empty()) {
            const std::string_view argument = left_.front();
            if (argument.size() < 2 || argument[0] != '-')
                break;
            left_ = left_.subspan(1);
            if (argument == "--")
                break;
            if (auto refusal = take(argument))
                return tl::make_unexpected(*std::move(refusal));
        }
        return std::move(flags_given_);
    }

private:
    FlagRefusal refusal(const std::string &why, int status = 2) const
    {
        return {.status = status, .text = why + usage(program_, flags_)};
    }

    std::optional<FlagRefusal> take(std::string_view argument)
    {
        const std::string_view text = argument.substr(argument[1] == '-' ? 2 : 1);
        const std::size_t equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        if (name.empty() || name[0] == '-')
            return refusal("bad flag syntax: " + std::string(argument) + '\n');
        const auto flag = std::find_if(flags_.begin(), flags_.end(),
                                       [&](const Flag &each) { return each.name == name; });
        if (flag == flags_.end() && (name == "h" || name == "help"))
            return refusal("", 0);
        if (flag == flags_.end())
            return refusal("flag provided but not defined: -" + std::string(name) + '\n');
        std::optional<std::string_view> value;
        if (equals != std::string_view::npos)
            value = text.substr(equals + 1);
        return flag->value_name.empty() ? take_switch(name, value) : take_value(name, value);
    }

    std::optional<FlagRefusal> take_switch(std::string_view name,
                                           std::optional<std::string_view> value)
    {
        const auto on = boolean(value.value_or("true"));
        if (!on)
            return refusal("invalid boolean value " + go_quoted(*value) + " for -" +
                           std::string(name) + ": parse error\n");
        if (*on)
            flags_given_.given_.insert_or_assign(std::string(name), "");
        else
            flags_given_.given_.erase(std::string(name));
        return std::nullopt;
    }

    std::optional<FlagRefusal> take_value(std::string_view name,
                                          std::optional<std::string_view> value)
    {
        if (!value && left_.empty())
            return refusal("flag needs an argument: -" + std::string(name) + '\n');
        if (!value) {
            value = left_.front();
            left_ = left_.subspan(1);
        }
        flags_given_.given_.insert_or_assign(std::string(name), std::string(*value));
        return std::nullopt;
    }

    std::string_view program_;
    std::span<const Flag> flags_;
    std::span<const char *const> left_;
    Flags flags_given_;
};

tl::expected<Flags, FlagRefusal> parse_flags(std::string_view program, std::span<const Flag> flags,
                                             std::span<const char *const> arguments)
{
    return FlagReader(program, flags, arguments).read();
}

}  // namespace tortie::calico_cni
