// SPDX-License-Identifier: Apache-2.0
#include "kube/yaml.h"

#include <yaml.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "base/base32.h"
#include "kube/yaml_scalar.h"

namespace tortie::kube {
namespace {

struct DeleteEvent {
    void operator()(yaml_event_t *event) const
    {
        yaml_event_delete(event);
        delete event;
    }
};
using Event = std::unique_ptr<yaml_event_t, DeleteEvent>;

std::string_view text_of(const yaml_char_t *text, std::size_t size)
{
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes of UTF-8 are characters
    return {reinterpret_cast<const char *>(text), size};
}

// Writes JSON while events come in. One for the whole stream.
class Writer {
public:
    // Errors: what no JSON can say.
    Result<> take(const yaml_event_t &event)
    {
        switch (event.type) {
        case YAML_DOCUMENT_START_EVENT:
            json_.clear();
            return {};
        case YAML_DOCUMENT_END_EVENT:
            if (!json_.empty() && json_ != "null")
                documents_.push_back(json_);
            return {};
        case YAML_SCALAR_EVENT:
            return scalar(event);
        case YAML_SEQUENCE_START_EVENT:
            return open('[');
        case YAML_MAPPING_START_EVENT:
            return open('{');
        case YAML_SEQUENCE_END_EVENT:
            return close(']');
        case YAML_MAPPING_END_EVENT:
            return close('}');
        case YAML_ALIAS_EVENT:
            return fail(ErrorKind::kInvalidInput, "aliases are not supported");
        default:
            return {};
        }
    }

    std::vector<std::string> documents() && { return std::move(documents_); }

private:
    struct Level {
        char opened = '{';
        std::size_t count = 0;  // values and keys so far
    };

    bool expects_key() const
    {
        return !levels_.empty() && levels_.back().opened == '{' && levels_.back().count % 2 == 0;
    }

    // What stands before the next value.
    void separate()
    {
        if (levels_.empty())
            return;
        Level &level = levels_.back();
        if (level.opened == '{' && level.count % 2 == 1)
            json_ += ':';
        else if (level.count > 0)
            json_ += ',';
        ++level.count;
    }

    Result<> scalar(const yaml_event_t &event)
    {
        const auto &scalar = event.data.scalar;
        const std::string_view text = text_of(scalar.value, scalar.length);
        const bool key = expects_key();
        separate();
        const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && scalar.tag == nullptr;
        json_ += plain && !key ? plain_scalar(text) : json_text(text);
        return {};
    }

    Result<> open(char bracket)
    {
        if (levels_.size() == kMaxYamlDepth)
            return fail(ErrorKind::kInvalidInput, "nested too deeply");
        if (expects_key())
            return fail(ErrorKind::kInvalidInput, "a key that is no text");
        separate();
        json_ += bracket;
        levels_.push_back({.opened = bracket});
        return {};
    }

    Result<> close(char bracket)
    {
        json_ += bracket;
        levels_.pop_back();
        return {};
    }

    std::string json_;
    std::vector<Level> levels_;
    std::vector<std::string> documents_;
};

Error at(const yaml_mark_t &mark, std::string_view what)
{
    return {ErrorKind::kInvalidInput, "yaml: line " + std::to_string(mark.line + 1) + ", column " +
                                          std::to_string(mark.column + 1) + ": " +
                                          std::string(what)};
}

Result<std::vector<std::string>> read_stream(yaml_parser_t *parser)
{
    Writer writer;
    for (;;) {
        Event event(new yaml_event_t{});
        if (yaml_parser_parse(parser, event.get()) == 0)
            return fail(at(parser->problem_mark,
                           parser->problem != nullptr ? parser->problem : "not YAML"));
        if (event->type == YAML_STREAM_END_EVENT)
            return std::move(writer).documents();
        if (auto taken = writer.take(*event); !taken)
            return fail(at(event->start_mark, taken.error().what()));
    }
}

}  // namespace

Result<std::vector<std::string>> yaml_to_json(std::string_view yaml)
{
    if (yaml.size() > kMaxYamlBytes)
        return fail(ErrorKind::kInvalidInput, "yaml: more than 4 MiB");
    yaml_parser_t parser{};
    if (yaml_parser_initialize(&parser) == 0)
        return fail(ErrorKind::kSystem, "yaml: no memory");
    const std::unique_ptr<yaml_parser_t, void (*)(yaml_parser_t *)> owner(&parser,
                                                                          &yaml_parser_delete);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes of UTF-8 are characters
    const auto *bytes = reinterpret_cast<const unsigned char *>(yaml.data());
    yaml_parser_set_input_string(&parser, bytes, yaml.size());
    return read_stream(&parser);
}

std::string json_text(std::string_view value)
{
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            text += '\\';
            text += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            text += "\\u00";
            const auto byte = static_cast<std::uint8_t>(c);
            text += hex_encode({&byte, 1});
        } else {
            text += c;
        }
    }
    return text + '"';
}

}  // namespace tortie::kube
