// SPDX-License-Identifier: Apache-2.0
//
// For the codecs only. Known members are taken out of an object one by one; what is left is what
// nobody here knows, and is kept. A member that says the same as its absence (null, "", false, 0)
// stays in there, too: so a document that is written back unchanged is the same document.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "kube/objects.h"

namespace tortie::store {

using nlohmann::json;

// One object and nothing behind it. Errors: kInvalidInput for anything else, for more than
// `max_bytes` and for deep nesting.
Result<json> parse_object(std::string_view text, std::size_t max_bytes);

// What is not UTF-8 becomes U+FFFD. "" for an empty object.
std::string text_of(const json &object);
std::string text_or_empty(const json &object);

// The object of text_or_empty(); {} for "". Text of others was parsed when it came in, so this
// does not fail.
json object_of(const std::string &text);

// Errors: kInvalidInput "<key>: is not a text".
Result<std::string> take_text(json &object, const char *key);
Result<std::optional<std::string>> take_optional_text(json &object, const char *key);
Result<std::optional<bool>> take_flag(json &object, const char *key);
Result<std::int64_t> take_integer(json &object, const char *key);
Result<std::optional<kube::StringMap>> take_map(json &object, const char *key);
Result<std::vector<std::string>> take_texts(json &object, const char *key);

// The member as an object, or as an array, moved out; empty when it is absent or null.
Result<json> take_object(json &object, const char *key);
Result<json> take_array(json &object, const char *key);

// An exact 64-bit integer, or nothing.
std::optional<std::int64_t> integer_of(const json &value);

tl::unexpected<Error> malformed(std::string_view key, std::string_view why);

void set_text(json &object, const char *key, const std::string &value);  // not when empty

}  // namespace tortie::store
