// SPDX-License-Identifier: Apache-2.0
#include "cni/version.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/strings.h"
#include "cni/json.h"

namespace tortie::cni {
namespace {

constexpr std::array<std::string_view, 7> kVersions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                       "0.4.0", "1.0.0", "1.1.0"};

using Numbers = std::array<std::int64_t, 3>;  // major, minor, micro

// Go's Atoi, which takes a sign.
Result<std::int64_t> number_of(std::string_view part, std::string_view text)
{
    const bool is_signed = text.starts_with('+') || text.starts_with('-');
    const std::string_view digits = text.substr(is_signed ? 1 : 0);
    const bool is_number =
        !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
    const auto number = is_number
                            ? parse_number<std::int64_t>(text.starts_with('+') ? digits : text)
                            : std::nullopt;
    if (number)
        return *number;
    const std::string quoted = go_quoted(text);
    return fail(ErrorKind::kInvalidInput,
                "failed to convert " + std::string(part) + " version part " + quoted +
                    ": strconv.Atoi: parsing " + quoted +
                    (is_number ? ": value out of range" : ": invalid syntax"));
}

// Missing parts are 0, as in Go's ParseVersion.
Result<Numbers> numbers_of(std::string_view version)
{
    constexpr std::array<std::string_view, 3> kParts = {"major", "minor", "micro"};
    const std::vector<std::string_view> parts = split(version, '.');
    if (parts.size() > kParts.size())
        return fail(ErrorKind::kInvalidInput,
                    "invalid version " + go_quoted(version) + ": too many parts");
    Numbers numbers{};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        TORTIE_TRY(numbers[i], number_of(kParts[i], parts[i]));
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
            "config is " + go_quoted(version) + ", plugin supports [" + list + "]"};
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
