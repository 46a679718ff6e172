// SPDX-License-Identifier: Apache-2.0
#include "calico/json_codec.h"

#include <nlohmann/json.hpp>

namespace tortie::calico {
namespace {

using nlohmann::json;

constexpr std::string_view kBlanks = " \t\r\n";

// Where the parser gave up.
class ErrorPlace : public nlohmann::json_sax<json> {
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
    bool parse_error(std::size_t position, const std::string &,
                     const nlohmann::detail::exception &) override
    {
        place = position;  // counted from 1
        return false;
    }

    std::size_t place = 0;
};

std::string quoted(char c)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f)
        return {'\'', c, '\''};
    return {'\'', '\\', 'x', kDigits[byte >> 4], kDigits[byte & 15], '\''};
}

tl::unexpected<Error> syntax_error(std::string_view text)
{
    ErrorPlace error;
    json::sax_parse(text, &error);
    if (error.place == 0 || error.place > text.size())
        return fail(ErrorKind::kInvalidInput, "unexpected end of JSON input");
    const bool at_start = error.place - 1 == text.find_first_not_of(kBlanks);
    return fail(ErrorKind::kInvalidInput,
                "invalid character " + quoted(text[error.place - 1]) +
                    (at_start ? " looking for beginning of value" : " in JSON text"));
}

tl::unexpected<Error> wrong_type(const json &value, std::string_view wanted)
{
    const char *type = value.is_boolean() ? "bool" : value.type_name();
    return fail(ErrorKind::kInvalidInput, "json: cannot unmarshal " + std::string(type) +
                                              " into Go value of type " + std::string(wanted));
}

// Brackets that open before any text: what is nested deeper than a list of texts can be is refused
// before it costs the parser's memory.
bool nested(std::string_view text)
{
    constexpr int kMostOpen = 8;
    int open = 0;
    for (const char c : text) {
        if (c == '"')
            return false;
        open += c == '[' || c == '{' ? 1 : 0;
        if (open > kMostOpen)
            return true;
    }
    return false;
}

Result<std::vector<std::string>> texts_of(const json &list)
{
    std::vector<std::string> texts;
    if (list.is_null())
        return texts;
    if (!list.is_array())
        return wrong_type(list, "[]string");
    for (const json &element : list) {
        if (!element.is_string() && !element.is_null())
            return wrong_type(element, "string");
        texts.push_back(element.is_null() ? "" : element.get_ref<const std::string &>());
    }
    return texts;
}

std::string printed(const nlohmann::ordered_json &value)
{
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class Members>
std::string print_members(const Members &members)
{
    auto object = nlohmann::ordered_json::object();
    for (const auto &[key, value] : members)
        std::visit([&, &name = key](const auto &each) { object[name] = each; }, value);
    return printed(object);
}

// null when it is not there.
Result<json> member_of(std::string_view text, std::string_view key)
{
    if (nested(text))
        return fail(ErrorKind::kInvalidInput, "nested too deep");
    const json object = json::parse(text, nullptr, false);
    if (object.is_discarded())
        return syntax_error(text);
    if (!object.is_object())
        return wrong_type(object, "object");
    const auto found = object.find(key);
    return found == object.end() ? json() : *found;
}

}  // namespace

Result<std::vector<std::string>> parse_string_list(std::string_view text)
{
    if (nested(text))
        return fail(ErrorKind::kInvalidInput,
                    "json: cannot unmarshal array into Go value of type "
                    "string");
    const json list = json::parse(text, nullptr, false);
    if (list.is_discarded())
        return syntax_error(text);
    return texts_of(list);
}

std::string json_object(const std::vector<std::pair<std::string, JsonScalar>> &members)
{
    return print_members(members);
}

std::string json_object_of_lists(const std::vector<std::pair<std::string, JsonTextOrList>> &members)
{
    return print_members(members);
}

Result<std::vector<std::string>> string_list_at(std::string_view text, std::string_view key)
{
    TORTIE_TRY(const json value, member_of(text, key));
    return texts_of(value);
}

Result<std::string> string_at(std::string_view text, std::string_view key)
{
    TORTIE_TRY(const json value, member_of(text, key));
    if (value.is_null())
        return std::string();
    if (!value.is_string())
        return wrong_type(value, "string");
    return value.get<std::string>();
}

}  // namespace tortie::calico
