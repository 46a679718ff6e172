// SPDX-License-Identifier: Apache-2.0
#include "cni/json.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/json_nesting.h"
#include "base/strings.h"
#include "cni/json_text.h"

namespace tortie::cni {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr int kMaxDepth = 64;

// Goes through a document and builds nothing.
class Visitor : public nlohmann::json_sax<nlohmann::json> {
public:
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t &) override { return true; }
    bool string(string_t &) override { return true; }
    bool binary(binary_t &) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t &) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) override
    {
        return false;
    }
};

// Keeps the first error's text.
class ErrorText : public Visitor {
public:
    bool parse_error(std::size_t, const std::string &,
                     const nlohmann::detail::exception &error) override
    {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
        text = error.what();
        const std::size_t bracket = text.find("] ");
        if (bracket != std::string::npos)
            text.erase(0, bracket + 2);
        return false;
    }

    std::string text;
};

// Looks for a key that stands twice in the object at a top-level key, or in two such objects.
class RepeatedKeys : public Visitor {
public:
    explicit RepeatedKeys(std::string_view top_level_key) : top_level_key_(top_level_key) {}

    bool start_object(std::size_t) override { return enter(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool key(string_t &name) override
    {
        if (depth_ == 1) {
            inside_ = equals_ignore_case(name, top_level_key_);
        } else if (depth_ == 2 && inside_ && !seen_.insert(name).second) {
            found_ = true;
        }
        return true;
    }

    bool found() const { return found_; }

private:
    bool enter()
    {
        ++depth_;
        return true;
    }
    bool leave()
    {
        --depth_;
        return true;
    }

    std::string_view top_level_key_;
    int depth_ = 0;
    bool inside_ = false;
    bool found_ = false;
    std::set<std::string, std::less<>> seen_;
};

std::string parse_error_of(std::string_view text)
{
    ErrorText error;
    nlohmann::json::sax_parse(text, &error);
    // The parser quotes what it read last; a string of a megabyte does not belong in a message.
    if (error.text.size() > 300)
        error.text = error.text.substr(0, 300) + "...";
    return error.text;
}

const char *go_type(const nlohmann::json &value)
{
    switch (value.type()) {
    case nlohmann::json::value_t::object:
        return "object";
    case nlohmann::json::value_t::array:
        return "array";
    case nlohmann::json::value_t::string:
        return "string";
    case nlohmann::json::value_t::boolean:
        return "bool";
    default:
        return "number";
    }
}

tl::unexpected<Error> wrong_type(const nlohmann::json &value, std::string_view key,
                                 std::string_view wanted)
{
    std::string what = "json: cannot unmarshal " + std::string(go_type(value));
    if (value.is_number())
        what += ' ' + value.dump();
    if (key.empty())
        what += " into Go value of type " + std::string(wanted);
    else
        what += " into Go struct field " + std::string(key) + " of type " + std::string(wanted);
    return fail(ErrorKind::kInvalidInput, std::move(what));
}

// What Go's printer escapes so that the text can stand in HTML.
std::string go_escaped(const std::string &plain)
{
    std::string text;
    text.reserve(plain.size());
    // None of these stands outside of a string.
    for (std::size_t i = 0; i < plain.size(); ++i) {
        const std::string_view rest = std::string_view(plain).substr(i, 3);
        if (plain[i] == '<')
            text += "\\u003c";
        else if (plain[i] == '>')
            text += "\\u003e";
        else if (plain[i] == '&')
            text += "\\u0026";
        else if (rest == "\xe2\x80\xa8" || rest == "\xe2\x80\xa9") {
            text += rest[2] == '\xa8' ? "\\u2028" : "\\u2029";
            i += 2;
        } else
            text += plain[i];
    }
    return text;
}

const nlohmann::json *member(const nlohmann::json &object, std::string_view key)
{
    const auto exact = object.find(key);
    if (exact != object.end())
        return &*exact;
    const auto &members = object.get_ref<const nlohmann::json::object_t &>();
    const auto folded = std::find_if(members.begin(), members.end(), [&](const auto &entry) {
        return equals_ignore_case(entry.first, key);
    });
    return folded == members.end() ? nullptr : &folded->second;
}

// nullptr when there is no such place.
nlohmann::json *step_into(nlohmann::json &from, std::string_view step, bool may_add)
{
    if (from.is_array()) {
        const auto index = parse_number<std::size_t>(step);
        return index && *index < from.size() ? &from[*index] : nullptr;
    }
    if (!from.is_object())
        return nullptr;
    auto &members = from.get_ref<nlohmann::json::object_t &>();
    const auto exact = members.find(step);
    if (exact != members.end())
        return &exact->second;
    const auto folded = std::find_if(members.begin(), members.end(), [&](const auto &entry) {
        return equals_ignore_case(entry.first, step);
    });
    if (folded != members.end())
        return &folded->second;
    return may_add ? &members[std::string(step)] : nullptr;
}

}  // namespace

Result<Json> Json::parse_object(std::string_view text)
{
    if (nested_deeper_than(text, kMaxDepth))
        return fail(ErrorKind::kInvalidInput,
                    "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (text.starts_with(kByteOrderMark))  // the parser would pass over it, Go's does not
        return fail(ErrorKind::kInvalidInput,
                    "invalid character '\xc3\xaf' looking for beginning of value");
    auto value = std::make_shared<nlohmann::json>(nlohmann::json::parse(text, nullptr, false));
    if (value->is_discarded())
        *value = nlohmann::json::parse(with_valid_characters(text), nullptr, false);
    if (value->is_discarded())
        return fail(ErrorKind::kInvalidInput, parse_error_of(text));
    if (!value->is_object())
        return wrong_type(*value, "", "object");
    return Json(std::move(value));
}

bool Json::present() const
{
    return value_ != nullptr && !value_->is_null();
}

bool Json::is_object() const
{
    return value_ != nullptr && value_->is_object();
}

bool Json::is_array() const
{
    return value_ != nullptr && value_->is_array();
}

Json Json::at(std::string_view key) const
{
    if (!is_object())
        return {};
    const nlohmann::json *found = member(*value_, key);
    if (found == nullptr)
        return {};
    return Json(std::shared_ptr<const nlohmann::json>(value_, found));  // shares the document
}

Result<std::optional<std::string>> Json::optional_string(std::string_view key) const
{
    const Json value = at(key);
    if (!value.present())
        return std::nullopt;
    if (!value.value_->is_string())
        return wrong_type(*value.value_, key, "string");
    return value.value_->get_ref<const std::string &>();
}

Result<std::string> Json::string(std::string_view key) const
{
    TORTIE_TRY(auto value, optional_string(key));
    return std::move(value).value_or("");
}

Result<std::optional<bool>> Json::optional_boolean(std::string_view key) const
{
    const Json value = at(key);
    if (!value.present())
        return std::nullopt;
    if (!value.value_->is_boolean())
        return wrong_type(*value.value_, key, "bool");
    return value.value_->get<bool>();
}

Result<bool> Json::boolean(std::string_view key, bool otherwise) const
{
    TORTIE_TRY(const auto value, optional_boolean(key));
    return value.value_or(otherwise);
}

Result<std::optional<std::int64_t>> Json::optional_integer(std::string_view key) const
{
    const Json value = at(key);
    if (!value.present())
        return std::nullopt;
    const nlohmann::json &number = *value.value_;
    const bool too_big = number.is_number_unsigned() && number.get<std::uint64_t>() > INT64_MAX;
    if (!number.is_number_integer() || too_big)
        return wrong_type(number, key, "int");
    return number.get<std::int64_t>();
}

Result<std::int64_t> Json::integer(std::string_view key, std::int64_t otherwise) const
{
    TORTIE_TRY(const auto value, optional_integer(key));
    return value.value_or(otherwise);
}

Result<Json> Json::object(std::string_view key) const
{
    const Json value = at(key);
    if (!value.present())
        return Json();
    if (!value.is_object())
        return wrong_type(*value.value_, key, "object");
    return value;
}

Result<std::vector<Json>> Json::elements_as(std::string_view key) const
{
    std::vector<Json> out;
    if (!present())
        return out;
    if (!is_array())
        return wrong_type(*value_, key, "array");
    for (const nlohmann::json &element : *value_)
        out.push_back(Json(std::shared_ptr<const nlohmann::json>(value_, &element)));
    return out;
}

Result<std::vector<Json>> Json::elements(std::string_view key) const
{
    return at(key).elements_as(key);
}

Result<std::vector<Json>> Json::as_elements() const
{
    return elements_as("");
}

Result<std::vector<std::string>> Json::strings(std::string_view key) const
{
    TORTIE_TRY(const auto values, elements(key));
    std::vector<std::string> out;
    for (const Json &value : values) {
        if (value.present() && !value.value_->is_string())
            return wrong_type(*value.value_, key, "string");
        out.push_back(value.present() ? value.value_->get_ref<const std::string &>() : "");
    }
    return out;
}

Result<std::vector<std::pair<std::string, std::string>>> Json::string_map(
    std::string_view key) const
{
    TORTIE_TRY(const Json value, object(key));
    std::vector<std::pair<std::string, std::string>> out;
    if (!value.present())
        return out;
    for (const auto &[name, text] : value.value_->items()) {
        if (!text.is_string() && !text.is_null())
            return wrong_type(text, key, "string");
        out.emplace_back(name, text.is_null() ? "" : text.get_ref<const std::string &>());
    }
    return out;
}

Result<std::string> Json::as_string() const
{
    if (!present())
        return std::string();
    if (!value_->is_string())
        return wrong_type(*value_, "", "string");
    return value_->get_ref<const std::string &>();
}

std::string Json::dump() const
{
    return value_ == nullptr ? std::string() : value_->dump();
}

std::string Json::go_text() const
{
    if (value_ == nullptr)
        return "";
    return go_escaped(value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Json Json::of(std::string_view text)
{
    return Json(std::make_shared<const nlohmann::json>(text));
}

Json Json::of(const std::vector<std::string> &list)
{
    return Json(std::make_shared<const nlohmann::json>(list));
}

Result<Json> Json::with(std::string_view pointer, const Json &value) const
{
    auto copy = std::make_shared<nlohmann::json>(value_ == nullptr ? nlohmann::json() : *value_);
    nlohmann::json *at = copy.get();
    const std::vector<std::string_view> steps = split(pointer.substr(1), '/');
    for (std::size_t i = 0; i < steps.size(); ++i) {
        at = step_into(*at, steps[i], i + 1 == steps.size());
        if (at == nullptr)
            return fail(ErrorKind::kInvalidInput, "no value at " + std::string(pointer));
    }
    *at = value.value_ == nullptr ? nlohmann::json() : *value.value_;
    return Json(std::move(copy));
}

bool has_repeated_keys(std::string_view text, std::string_view key)
{
    if (nested_deeper_than(text, kMaxDepth))
        return false;
    // Not json::parse() with a callback: that takes quadratic time for objects in an object.
    RepeatedKeys visitor(key);
    nlohmann::json::sax_parse(text, &visitor);
    return visitor.found();
}

struct JsonWriter::Value {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
};

JsonWriter::JsonWriter() : value_(std::make_unique<Value>()) {}
JsonWriter::~JsonWriter() = default;
JsonWriter::JsonWriter(JsonWriter &&) noexcept = default;
JsonWriter &JsonWriter::operator=(JsonWriter &&) noexcept = default;

JsonWriter &JsonWriter::set(std::string_view key, std::string_view value)
{
    value_->object[std::string(key)] = value;
    return *this;
}

JsonWriter &JsonWriter::set(std::string_view key, const char *value)
{
    return set(key, std::string_view(value));
}

JsonWriter &JsonWriter::set(std::string_view key, std::int64_t value)
{
    value_->object[std::string(key)] = value;
    return *this;
}

JsonWriter &JsonWriter::set(std::string_view key, bool value)
{
    value_->object[std::string(key)] = value;
    return *this;
}

JsonWriter &JsonWriter::set(std::string_view key, const JsonWriter &object)
{
    value_->object[std::string(key)] = object.value_->object;
    return *this;
}

JsonWriter &JsonWriter::set(std::string_view key, const std::vector<JsonWriter> &array)
{
    auto list = nlohmann::ordered_json::array();
    for (const JsonWriter &object : array)
        list.push_back(object.value_->object);
    value_->object[std::string(key)] = std::move(list);
    return *this;
}

JsonWriter &JsonWriter::set(std::string_view key, const std::vector<std::string> &array)
{
    value_->object[std::string(key)] = array;
    return *this;
}

bool JsonWriter::empty() const
{
    return value_->object.empty();
}

std::string JsonWriter::text(int indent) const
{
    return go_escaped(
        value_->object.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace tortie::cni
