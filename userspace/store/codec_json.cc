// SPDX-License-Identifier: Apache-2.0
#include "store/codec_json.h"

#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json_nesting.h"

namespace tortie::store {
namespace {

constexpr int kMaxDepth = 64;

// nullptr when absent or null: both mean the default.
json *said(json &object, const char *key)
{
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<json> take_container(json &object, const char *key, json::value_t type)
{
    json *value = said(object, key);
    if (value == nullptr)
        return json(type);
    if (value->type() != type)
        return malformed(key, type == json::value_t::object ? "is not an object" : "is not a list");
    if (value->empty())
        return json(type);
    json taken = std::move(*value);
    object.erase(key);
    return taken;
}

}  // namespace

tl::unexpected<Error> malformed(std::string_view key, std::string_view why)
{
    return fail(ErrorKind::kInvalidInput, std::string(key) + ": " + std::string(why));
}

Result<json> parse_object(std::string_view text, std::size_t max_bytes)
{
    if (text.size() > max_bytes)
        return fail(ErrorKind::kInvalidInput,
                    "is longer than " + std::to_string(max_bytes) + " bytes");
    if (nested_deeper_than(text, kMaxDepth))
        return fail(ErrorKind::kInvalidInput, "is nested too deep");
    json value = json::parse(text.begin(), text.end(), nullptr, false);
    if (!value.is_object())
        return fail(ErrorKind::kInvalidInput, "is not a JSON object");
    return value;
}

std::string text_of(const json &object)
{
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_or_empty(const json &object)
{
    return object.empty() ? std::string() : text_of(object);
}

json object_of(const std::string &text)
{
    json value = text.empty() ? json::object() : json::parse(text, nullptr, false);
    return value.is_object() ? value : json::object();
}

Result<std::string> take_text(json &object, const char *key)
{
    TORTIE_TRY(std::optional<std::string> text, take_optional_text(object, key));
    if (text && text->empty())
        object[key] = "";
    return std::move(text).value_or(std::string());
}

Result<std::optional<std::string>> take_optional_text(json &object, const char *key)
{
    json *value = said(object, key);
    if (value == nullptr)
        return std::nullopt;
    std::string *text = value->get_ptr<std::string *>();
    if (text == nullptr)
        return malformed(key, "is not a text");
    std::optional<std::string> taken = std::move(*text);
    object.erase(key);
    return taken;
}

Result<std::optional<bool>> take_flag(json &object, const char *key)
{
    json *value = said(object, key);
    if (value == nullptr)
        return std::nullopt;
    const bool *flag = value->get_ptr<bool *>();
    if (flag == nullptr)
        return malformed(key, "is not true or false");
    const bool taken = *flag;
    if (taken)
        object.erase(key);
    return taken;
}

Result<std::int64_t> take_integer(json &object, const char *key)
{
    const json *value = said(object, key);
    if (value == nullptr)
        return 0;
    const std::optional<std::int64_t> number = integer_of(*value);
    if (!number)
        return malformed(key, "is not an integer");
    if (*number != 0)
        object.erase(key);
    return *number;
}

Result<std::optional<kube::StringMap>> take_map(json &object, const char *key)
{
    if (said(object, key) == nullptr)
        return std::nullopt;
    TORTIE_TRY(json members, take_object(object, key));
    kube::StringMap map;
    for (auto &[name, value] : members.items()) {
        std::string *text = value.get_ptr<std::string *>();
        if (text == nullptr)
            return malformed(std::string(key) + '.' + name, "is not a text");
        map.emplace(name, std::move(*text));
    }
    return map;
}

Result<std::vector<std::string>> take_texts(json &object, const char *key)
{
    TORTIE_TRY(json list, take_array(object, key));
    std::vector<std::string> texts;
    texts.reserve(list.size());
    for (json &element : list) {
        std::string *text = element.get_ptr<std::string *>();
        if (text == nullptr)
            return malformed(key, "holds something that is not a text");
        texts.push_back(std::move(*text));
    }
    return texts;
}

Result<json> take_object(json &object, const char *key)
{
    return take_container(object, key, json::value_t::object);
}

Result<json> take_array(json &object, const char *key)
{
    return take_container(object, key, json::value_t::array);
}

std::optional<std::int64_t> integer_of(const json &value)
{
    if (!value.is_number_integer())
        return std::nullopt;
    if (const auto *number = value.get_ptr<const std::uint64_t *>()) {
        if (*number > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
            return std::nullopt;
    }
    return value.get<std::int64_t>();
}

void set_text(json &object, const char *key, const std::string &value)
{
    if (!value.empty())
        object[key] = value;
}

}  // namespace tortie::store
