// SPDX-License-Identifier: Apache-2.0
//
// JSON as plugins read it: bounded, and with Go's habits, because what runtimes send was only ever
// tried against Go. Keys match whatever their case when there is no exact match (containerd writes
// "HostPort"), null is the same as absent, unknown keys do not matter, a repeated key's last value
// counts. json.cc hides nlohmann/json.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace tortie::cni {

// A value inside a parsed document, which it keeps alive. Cheap to copy. A default one is absent.
//
// The typed readers (string(), integer(), ...) return the default when the key is absent or null,
// and kInvalidInput with Go's kind of text when the type is wrong:
// "json: cannot unmarshal string into Go struct field snat of type bool".
class Json {
public:
    Json() = default;

    // One object and nothing after it, at most 64 levels deep. What is no character in it is read
    // as U+FFFD.
    // Errors: kInvalidInput with the parser's words.
    static Result<Json> parse_object(std::string_view text);

    bool present() const;  // there and not null
    bool is_object() const;
    bool is_array() const;

    // The member of that name, absent when this is no object.
    Json at(std::string_view key) const;

    Result<std::string> string(std::string_view key) const;
    Result<std::optional<std::string>> optional_string(std::string_view key) const;
    Result<bool> boolean(std::string_view key, bool otherwise) const;
    Result<std::optional<bool>> optional_boolean(std::string_view key) const;
    Result<std::int64_t> integer(std::string_view key, std::int64_t otherwise) const;
    Result<std::optional<std::int64_t>> optional_integer(std::string_view key) const;
    Result<std::vector<std::string>> strings(std::string_view key) const;  // array of strings
    Result<std::vector<std::pair<std::string, std::string>>> string_map(std::string_view key) const;
    Result<Json> object(std::string_view key) const;                 // absent, or an object
    Result<std::vector<Json>> elements(std::string_view key) const;  // of an array; {} when absent

    // This value itself, for elements of arrays.
    Result<std::string> as_string() const;
    Result<std::vector<Json>> as_elements() const;

    // The value as compact JSON; "" when absent.
    std::string dump() const;

    // The value as Go's encoding/json prints it: keys in order, < > & escaped.
    std::string go_text() const;

    // Values that are no part of a document.
    static Json of(std::string_view text);
    static Json of(const std::vector<std::string> &list);

    // A copy in which the value at `pointer` is another one ("/ipam/ranges/0/0/subnet"; keys
    // without '/' and '~'). A last key that is not there is added; a key that differs only in case
    // is the same key.
    // Errors: kInvalidInput when the way there ends early.
    Result<Json> with(std::string_view pointer, const Json &value) const;

private:
    explicit Json(std::shared_ptr<const nlohmann::json> value) : value_(std::move(value)) {}

    Result<std::vector<Json>> elements_as(std::string_view key) const;

    std::shared_ptr<const nlohmann::json> value_;
};

// True when the object at the top-level key `key` has one of its own keys twice. tuning refuses
// that, and a parsed document no longer shows it.
bool has_repeated_keys(std::string_view text, std::string_view key);

// Writes one JSON object, keys in the order of the calls. Text must be valid UTF-8; bytes that are
// not become U+FFFD.
class JsonWriter {
public:
    JsonWriter();
    ~JsonWriter();
    JsonWriter(const JsonWriter &) = delete;
    JsonWriter &operator=(const JsonWriter &) = delete;
    JsonWriter(JsonWriter &&) noexcept;
    JsonWriter &operator=(JsonWriter &&) noexcept;

    JsonWriter &set(std::string_view key, std::string_view value);
    JsonWriter &set(std::string_view key, const char *value);
    JsonWriter &set(std::string_view key, std::int64_t value);
    JsonWriter &set(std::string_view key, bool value);
    JsonWriter &set(std::string_view key, const JsonWriter &object);
    JsonWriter &set(std::string_view key, const std::vector<JsonWriter> &array);
    JsonWriter &set(std::string_view key, const std::vector<std::string> &array);

    bool empty() const;

    // `indent` spaces a level, or one line for -1. As Go prints it: < > & and U+2028/2029 escaped.
    std::string text(int indent) const;

private:
    struct Value;
    std::unique_ptr<Value> value_;
};

}  // namespace tortie::cni
