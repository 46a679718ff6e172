// SPDX-License-Identifier: Apache-2.0
#include "cni/environment.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/strings.h"

namespace tortie::cni {
namespace {

bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// White space as Unicode has it, in UTF-8.
bool has_white_space(std::string_view text)
{
    constexpr std::array<std::string_view, 15> kWide = {
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
        "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
        "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8"};
    constexpr std::array<std::string_view, 4> kWider = {"\xe2\x80\xa9", "\xe2\x80\xaf",
                                                        "\xe2\x81\x9f", "\xe3\x80\x80"};
    const auto stands_in_text = [&](std::string_view space) {
        return text.find(space) != std::string_view::npos;
    };
    return text.find_first_of(" \t\n\v\f\r") != std::string_view::npos ||
           std::any_of(kWide.begin(), kWide.end(), stands_in_text) ||
           std::any_of(kWider.begin(), kWider.end(), stands_in_text);
}

std::optional<CniError> container_id_fault(const std::string &id)
{
    if (is_valid_name(id))
        return std::nullopt;
    return CniError(Code::kInvalidEnvironment, "invalid characters in containerID", id);
}

std::optional<CniError> ifname_fault(const std::string &name)
{
    if (name.size() > 15)
        return CniError(Code::kInvalidEnvironment, "interface name is too long",
                        "interface name should be less than 16 characters");
    if (name == "." || name == "..")
        return CniError(Code::kInvalidEnvironment, "interface name is . or ..");
    if (name.find_first_of("/:") != std::string::npos || has_white_space(name))
        return CniError(Code::kInvalidEnvironment,
                        "interface name contains / or : or whitespace characters");
    return std::nullopt;
}

struct Variable {
    const char *name;
    std::string Environment::*field;
    std::string_view required_for;  // verbs; "*" is all of them
    std::optional<CniError> (*fault)(const std::string &);
};

// The order decides what is reported first.
constexpr std::array kVariables = {
    Variable{"CNI_COMMAND", &Environment::command, "*", nullptr},
    Variable{"CNI_CONTAINERID", &Environment::container_id, "ADD CHECK DEL", container_id_fault},
    Variable{"CNI_NETNS", &Environment::netns, "ADD CHECK", nullptr},
    Variable{"CNI_IFNAME", &Environment::ifname, "ADD CHECK DEL", ifname_fault},
    Variable{"CNI_ARGS", &Environment::args, "", nullptr},
    Variable{"CNI_PATH", &Environment::path, "ADD CHECK DEL GC STATUS", nullptr},
    Variable{"PATH", &Environment::search_path, "", nullptr},
};

bool is_required(const Variable &variable, std::string_view command)
{
    if (variable.required_for == "*")
        return true;
    const auto verbs = words(variable.required_for);
    return std::find(verbs.begin(), verbs.end(), command) != verbs.end();
}

}  // namespace

bool is_valid_name(std::string_view text)
{
    return !text.empty() && is_alphanumeric(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
           });
}

tl::expected<Environment, CniError> read_environment(const GetEnv &get_env)
{
    Environment env;
    std::string missing;
    for (const Variable &variable : kVariables) {
        const char *value = get_env(variable.name);
        std::string &field = env.*variable.field;
        field = value == nullptr ? "" : value;
        if (!is_required(variable, env.command))
            continue;
        if (field.empty())
            missing += (missing.empty() ? "" : ",") + std::string(variable.name);
        else if (auto fault = variable.fault == nullptr ? std::nullopt : variable.fault(field))
            return tl::make_unexpected(*std::move(fault));
    }
    if (!missing.empty())
        return tl::make_unexpected(CniError(Code::kInvalidEnvironment,
                                            "required env variables [" + missing + "] missing"));
    const char *override_text = get_env("CNI_NETNS_OVERRIDE");
    const std::string_view text = override_text == nullptr ? "" : override_text;
    env.netns_override = text == "1" || equals_ignore_case(text, "true");
    return env;
}

}  // namespace tortie::cni
