// SPDX-License-Identifier: Apache-2.0
#include "cni/version.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/strings.h"
#include "cni/json.h"

namespace tortie::cni {
namespace {

constexpr std::array<std::string_view, 7> kVersions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                       "0.4.0", "1.0.0", "1.1.0"};

using Numbers = std::array<int, 3>;  // major, minor, micro

// Missing parts are 0, as in Go's ParseVersion.
Result<Numbers> numbers_of(std::string_view version)
{
    constexpr std::array<std::string_view, 3> kParts = {"major", "minor", "micro"};
    const std::vector<std::string_view> parts = split(version, '.');
    if (parts.size() > kParts.size())
        return fail(ErrorKind::kInvalidInput,
                    "invalid version \"" + std::string(version) + "\": too many parts");
    Numbers numbers{};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto number = parse_number<int>(parts[i]);
        if (!number)
            return fail(ErrorKind::kInvalidInput, "failed to convert " + std::string(kParts[i]) +
                                                      " version part \"" + std::string(parts[i]) +
                                                      "\": strconv.Atoi: parsing \"" +
                                                      std::string(parts[i]) + "\": invalid syntax");
        numbers[i] = *number;
    }
    return numbers;
}

bool supported(std::string_view version)
{
    return std::find(kVersions.begin(), kVersions.end(), version) != kVersions.end();
}

CniError incompatible(std::string_view version)
{
    std::string list;
    for (const std::string_view known : kVersions)
        list += (list.empty() ? "\"" : " \"") + std::string(known) + '"';
    return {Code::kIncompatibleVersion, "incompatible CNI versions",
            "config is \"" + std::string(version) + "\", plugin supports [" + list + "]"};
}

}  // namespace

std::span<const std::string_view> supported_versions()
{
    return kVersions;
}

std::optional<ResultFamily> result_family(std::string_view version)
{
    if (!supported(version))
        return std::nullopt;
    if (version <= "0.2.0")
        return ResultFamily::kV01;
    return version <= "0.4.0" ? ResultFamily::kV03 : ResultFamily::kV10;
}

std::optional<CniError> version_refusal(std::string_view command, std::string_view version)
{
    if (command == "ADD" || command == "DEL") {
        if (supported(version))
            return std::nullopt;
        return incompatible(version);
    }
    const auto wanted = numbers_of(version);
    if (!wanted)
        return CniError(Code::kDecoding, wanted.error().what());
    const Numbers since = command == "CHECK" ? Numbers{0, 4, 0} : Numbers{1, 1, 0};
    if (*wanted < since)
        return CniError(Code::kIncompatibleVersion,
                        "config version does not allow " + std::string(command));
    if (*wanted > *numbers_of(kNewestVersion))
        return CniError(Code::kIncompatibleVersion,
                        "plugin version does not allow " + std::string(command));
    if (!supported(version))
        return incompatible(version);
    return std::nullopt;
}

std::string version_report()
{
    std::vector<std::string> versions(kVersions.begin(), kVersions.end());
    return JsonWriter()
               .set("cniVersion", kNewestVersion)
               .set("supportedVersions", versions)
               .text(-1) +
           "\n";
}

}  // namespace tortie::cni
