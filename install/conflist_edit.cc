// SPDX-License-Identifier: Apache-2.0
#include "install/conflist_edit.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "cni/json.h"

namespace tortie::installer {
namespace {

// Where in the text portmap's object and its datapath are.
struct Place {
    std::size_t open = 0;  // behind its '{'
    std::optional<std::size_t> key;
    std::size_t value = 0;  // the text in quotes, without them
    std::size_t value_size = 0;
};

// Walks over valid JSON and knows which object of the list `plugins` it is in. Strings are compared
// as they are written: nobody escapes these words.
class Finder {
public:
    explicit Finder(std::string_view text) : text_(text) {}

    std::optional<Place> find();

private:
    void string_at(std::size_t begin, std::size_t end);
    void open(char bracket, std::size_t at);
    std::optional<Place> close();

    std::string_view text_;
    std::string brackets_;   // those that are open
    std::string_view word_;  // the last string
    std::size_t word_at_ = 0;
    std::string_view key_;  // of the value that follows; empty: none
    std::size_t key_at_ = 0;
    bool in_list_ = false;
    Place place_;
    bool is_portmap_ = false;
};

constexpr std::string_view kInPlugin = "{[{";

void Finder::string_at(std::size_t begin, std::size_t end)
{
    const std::string_view text = text_.substr(begin, end - begin);
    if (brackets_ == kInPlugin && in_list_ && !key_.empty()) {
        if (key_ == "type")
            is_portmap_ = text == "portmap";
        if (key_ == "datapath") {
            place_.key = key_at_;
            place_.value = begin;
            place_.value_size = text.size();
        }
    }
    word_ = text;
    word_at_ = begin - 1;
}

void Finder::open(char bracket, std::size_t at)
{
    if (brackets_ == "{" && bracket == '[')
        in_list_ = key_ == "plugins";
    brackets_ += bracket;
    if (brackets_ == kInPlugin) {
        place_ = {};
        place_.open = at + 1;
        is_portmap_ = false;
    }
}

std::optional<Place> Finder::close()
{
    const bool found = brackets_ == kInPlugin && in_list_ && is_portmap_;
    if (!brackets_.empty())
        brackets_.pop_back();
    return found ? std::optional(place_) : std::nullopt;
}

std::optional<Place> Finder::find()
{
    for (std::size_t at = 0; at < text_.size(); ++at) {
        const char c = text_[at];
        if (c == '"') {
            std::size_t end = at + 1;
            while (end < text_.size() && text_[end] != '"')
                end += text_[end] == '\\' ? 2U : 1U;
            string_at(at + 1, std::min(end, text_.size()));
            at = end;
        } else if (c == ':') {
            key_ = word_;
            key_at_ = word_at_;
        } else if (c == '{' || c == '[') {
            open(c, at);
            key_ = {};
        } else if (c == ',') {
            key_ = {};
        } else if (c == '}' || c == ']') {
            if (auto place = close())
                return place;
        }
    }
    return std::nullopt;
}

std::optional<Place> place_in(std::string_view conflist)
{
    if (!cni::Json::parse_object(conflist))
        return std::nullopt;
    return Finder(conflist).find();
}

std::string written(std::string_view value)
{
    return "\"datapath\": \"" + std::string(value) + "\", ";
}

}  // namespace

std::string with_datapath(std::string_view conflist, std::string_view value)
{
    std::string text(conflist);
    const auto place = place_in(conflist);
    if (!place)
        return text;
    if (!place->key)
        return value.empty() ? text : text.insert(place->open, written(value));
    const std::string_view old = conflist.substr(place->value, place->value_size);
    if (!value.empty())
        return text.replace(place->value, place->value_size, value);
    const std::string ours = written(old);
    if (place->key == place->open && conflist.substr(place->open, ours.size()) == ours)
        text.erase(place->open, ours.size());
    return text;
}

std::string datapath_in(std::string_view conflist)
{
    const auto place = place_in(conflist);
    return place && place->key ? std::string(conflist.substr(place->value, place->value_size))
                               : std::string();
}

}  // namespace tortie::installer
