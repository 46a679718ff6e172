// SPDX-License-Identifier: Apache-2.0
#include "caps/capability.h"

#include <algorithm>

#include "base/strings.h"

namespace tortie::caps {
namespace {

constexpr std::array<std::string_view, kCapabilities> kPurposes = {
#define TORTIE_PURPOSE(enumerator, name, purpose) purpose,
    TORTIE_CAPABILITIES(TORTIE_PURPOSE)
#undef TORTIE_PURPOSE
};

constexpr std::array<std::string_view, 3> kSupportNames = {"yes", "no", "unknown"};

Error unknown_name(std::string_view name)
{
    std::string what = "no capability is named " + go_quoted(name.substr(0, 64)) + "; there are";
    for (const std::string_view known : kCapabilityNames)
        what.append(" ").append(known);
    return {ErrorKind::kInvalidInput, std::move(what)};
}

}  // namespace

std::string_view name_of(Capability capability)
{
    return kCapabilityNames[static_cast<std::size_t>(capability)];
}

std::string_view purpose_of(Capability capability)
{
    return kPurposes[static_cast<std::size_t>(capability)];
}

std::optional<Capability> find_capability(std::string_view name)
{
    for (const Capability capability : all_capabilities()) {
        if (name_of(capability) == name)
            return capability;
    }
    return std::nullopt;
}

std::string_view name_of(Support support)
{
    return kSupportNames[static_cast<std::size_t>(support)];
}

std::optional<Support> find_support(std::string_view name)
{
    const auto *const found = std::find(kSupportNames.begin(), kSupportNames.end(), name);
    if (found == kSupportNames.end())
        return std::nullopt;
    return static_cast<Support>(found - kSupportNames.begin());
}

Result<CapabilitySet> parse_capabilities(std::string_view text)
{
    CapabilitySet set;
    for (const std::string_view part : split(text, ',')) {
        const std::string_view name = trim(part);
        if (name.empty())
            continue;
        const auto capability = find_capability(name);
        if (!capability)
            return fail(unknown_name(name));
        set.set(static_cast<std::size_t>(*capability));
    }
    return set;
}

void switch_off(Findings &findings, const CapabilitySet &set)
{
    for (const Capability capability : all_capabilities()) {
        if (set.test(static_cast<std::size_t>(capability)))
            findings[capability] = {Support::kNo, "switched off by TORTIE_DISABLE"};
    }
}

}  // namespace tortie::caps
