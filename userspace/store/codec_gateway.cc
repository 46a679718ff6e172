// SPDX-License-Identifier: Apache-2.0
#include "store/codec_gateway.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/strings.h"
#include "store/codec.h"
#include "store/codec_json.h"

namespace tortie::store {
namespace {

// All of a cluster's blocks, in base64.
constexpr std::size_t kMaxAnswerBytes = 64UL << 20;

tl::unexpected<Error> odd(std::string_view why)
{
    return fail(ErrorKind::kSystem, "the answer is not etcd's: " + std::string(why));
}

json range_operation(const KeyRange &range)
{
    json read = {{"key", base64_encode(range.key)}};
    if (range.prefix)
        read["range_end"] = base64_encode(end_of_prefix(range.key));
    return {{"request_range", std::move(read)}};
}

json write_operation(const Change &change)
{
    const std::string key = base64_encode(change.path);
    if (change.op == Op::kDelete)
        return {{"request_delete_range", {{"key", key}}}};
    return {{"request_put", {{"key", key}, {"value", base64_encode(change.value)}}}};
}

// What objection() asks of the key; null when it would take anything.
json comparison(const Change &change)
{
    json compare = {{"key", base64_encode(change.path)}, {"result", "EQUAL"}};
    if (change.op == Op::kCreate) {
        compare["target"] = "VERSION";
        compare["version"] = "0";
        return compare;
    }
    const bool any_version =
        change.expected.empty() && std::holds_alternative<EndpointKey>(change.key);
    if (any_version && change.op == Op::kUpdate)
        return nullptr;
    if (any_version) {
        compare["target"] = "VERSION";
        compare["version"] = "0";
        compare["result"] = "GREATER";
        return compare;
    }
    compare["target"] = "MOD";
    compare["mod_revision"] = change.expected.empty() ? "-1" : change.expected;  // -1: never
    return compare;
}

// An integer, or a text that holds one.
std::string number_text(const json &object, const char *key)
{
    const auto found = object.find(key);
    if (found == object.end())
        return "0";
    if (const auto *text = found->get_ptr<const std::string *>())
        return parse_number<std::int64_t>(*text) ? *text : std::string();
    const std::optional<std::int64_t> number = integer_of(*found);
    return number ? std::to_string(*number) : std::string();
}

std::optional<std::string> bytes_of(const json &object, const char *key)
{
    const auto found = object.find(key);
    if (found == object.end())
        return std::string();
    const auto *text = found->get_ptr<const std::string *>();
    return text == nullptr ? std::nullopt : base64_decode(*text);
}

Result<Entry> entry_of(const json &pair)
{
    if (!pair.is_object())
        return odd("a pair is no object");
    std::optional<std::string> key = bytes_of(pair, "key");
    std::optional<std::string> value = bytes_of(pair, "value");
    std::string version = number_text(pair, "mod_revision");
    if (!key || key->empty() || !value || version.empty())
        return odd("a pair has no key, value or revision");
    return Entry{*std::move(key), *std::move(value), std::move(version)};
}

Result<std::vector<Entry>> entries_of(json operation)
{
    std::vector<Entry> entries;
    if (!operation.is_object())
        return odd("an operation has no answer");
    TORTIE_TRY(json range, take_object(operation, "response_range"));
    const auto more = range.find("more");
    if (more != range.end() && *more == true)
        return odd("a list is cut off");
    TORTIE_TRY(const json pairs, take_array(range, "kvs"));
    entries.reserve(pairs.size());
    for (const json &pair : pairs) {
        TORTIE_TRY(Entry entry, entry_of(pair));
        entries.push_back(std::move(entry));
    }
    return entries;
}

}  // namespace

std::string read_request(std::span<const KeyRange> ranges)
{
    json operations = json::array();
    for (const KeyRange &range : ranges)
        operations.push_back(range_operation(range));
    return text_of({{"success", std::move(operations)}});
}

std::string commit_request(std::span<const Change> changes)
{
    json compare = json::array();
    json success = json::array();
    json failure = json::array();
    for (const Change &change : changes) {
        if (json one = comparison(change); !one.is_null())
            compare.push_back(std::move(one));
        success.push_back(write_operation(change));
        failure.push_back(range_operation({change.path, false}));
    }
    return text_of({{"compare", std::move(compare)},
                    {"success", std::move(success)},
                    {"failure", std::move(failure)}});
}

std::string login_request(std::string_view user, std::string_view password)
{
    return text_of({{"name", user}, {"password", password}});
}

Result<TxnAnswer> txn_answer(std::string_view body, std::size_t operations)
{
    Result<json> object = parse_object(body, kMaxAnswerBytes);
    if (!object)
        return odd(object.error().what());
    TORTIE_TRY(json header, take_object(*object, "header"));
    TORTIE_TRY(json responses, take_array(*object, "responses"));
    TORTIE_TRY(const std::optional<bool> succeeded, take_flag(*object, "succeeded"));
    TxnAnswer answer{succeeded.value_or(false), number_text(header, "revision"), {}};
    if (responses.size() != operations || answer.revision.empty())
        return odd("it does not answer every operation");
    answer.ranges.reserve(operations);
    for (json &operation : responses) {
        TORTIE_TRY(std::vector<Entry> entries, entries_of(std::move(operation)));
        answer.ranges.push_back(std::move(entries));
    }
    return answer;
}

Result<std::string> login_answer(std::string_view body)
{
    TORTIE_TRY(json object, parse_object(body, kMaxDocumentBytes));
    TORTIE_TRY(std::string token, take_text(object, "token"));
    if (token.empty())
        return odd("there is no token");
    return token;
}

GatewayError gateway_error(std::string_view body)
{
    constexpr std::size_t kMaxText = 256;
    GatewayError error;
    Result<json> object = parse_object(body, kMaxDocumentBytes);
    if (!object) {
        error.message = std::string(trim(body.substr(0, kMaxText)));
        return error;
    }
    if (const Result<std::int64_t> code = take_integer(*object, "code"))
        error.code = static_cast<int>(*code);
    // 3.4 has both, 3.6 only the second.
    for (const char *key : {"error", "message"}) {
        Result<std::string> text = take_text(*object, key);
        if (text && error.message.empty())
            error.message = text->substr(0, kMaxText);
    }
    return error;
}

}  // namespace tortie::store
