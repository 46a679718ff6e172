// SPDX-License-Identifier: Apache-2.0
//
// The little JSON that stands inside annotations and files of Calico's. The only file of this
// layer that sees nlohmann/json is json_codec.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tortie::calico {

// An array of texts, as annotations hold it; null is an empty one.
// Errors: kInvalidInput in Go's kind of words ("invalid character 'x' looking for beginning of
// value", "json: cannot unmarshal number into Go value of type string").
Result<std::vector<std::string>> parse_string_list(std::string_view json);

// An object of numbers and texts in one line, in the given order.
using JsonScalar = std::variant<std::int64_t, std::string>;
std::string json_object(const std::vector<std::pair<std::string, JsonScalar>> &members);

// The same of texts and lists of texts.
using JsonTextOrList = std::variant<std::string, std::vector<std::string>>;
std::string json_object_of_lists(
    const std::vector<std::pair<std::string, JsonTextOrList>> &members);

// The array of texts at `key` of an object; empty when it is not there.
// Errors: kInvalidInput, also when the text is no object.
Result<std::vector<std::string>> string_list_at(std::string_view json, std::string_view key);

// The text at `key` of an object; empty when it is not there.
// Errors: as string_list_at().
Result<std::string> string_at(std::string_view json, std::string_view key);

}  // namespace tortie::calico
