// SPDX-License-Identifier: Apache-2.0
//
// Which versions of the protocol we speak, and which verb needs which.
// Source: CNI specification 1.1.0 section 1 and the Go library v1.3.0 for the texts.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cni/error.h"

namespace tortie::cni {

std::span<const std::string_view> supported_versions();  // oldest first

constexpr std::string_view kNewestVersion = "1.1.0";

// The shape of results: a version converts into another of its family by changing its number.
enum class ResultFamily { kV01, kV03, kV10 };  // {0.1.0, 0.2.0}, {0.3.0 .. 0.4.0}, {1.0.0, 1.1.0}

std::optional<ResultFamily> result_family(std::string_view version);

// Whether `command` may be called with a configuration of that version; what to print if not.
std::optional<CniError> version_refusal(std::string_view command, std::string_view version);

// What VERSION prints, with its newline.
std::string version_report();

}  // namespace tortie::cni
