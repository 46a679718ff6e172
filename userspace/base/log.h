// SPDX-License-Identifier: Apache-2.0
//
// One line an event, `key=value`, to stderr: stdout belongs to the CNI result. What happened is a
// constant text, what varies is a field, so that a log can be searched.
//
// Secrets and configuration never go in. Values may come from a pod's author: they are quoted and
// escaped, so that they cannot start a line of their own.
#pragma once

#include <initializer_list>
#include <string_view>

namespace tortie::log {

enum class Level { kDebug, kInfo, kWarn, kError };

struct Field {
    std::string_view key;
    std::string_view value;
};

// `text` is the value of TORTIE_LOG: debug, info, warn or error; anything else is kInfo.
Level level_from(std::string_view text);

// Once a process, before the first event. `always` stands on every line (cmd, plugin, container,
// netns); the text is copied. Without it events go to stderr from kInfo on.
void open(Level lowest, std::initializer_list<Field> always);

// Never fails.
void event(Level level, std::string_view what, std::initializer_list<Field> fields = {});

inline void debug(std::string_view what, std::initializer_list<Field> fields = {})
{
    event(Level::kDebug, what, fields);
}
inline void info(std::string_view what, std::initializer_list<Field> fields = {})
{
    event(Level::kInfo, what, fields);
}
inline void warn(std::string_view what, std::initializer_list<Field> fields = {})
{
    event(Level::kWarn, what, fields);
}
inline void error(std::string_view what, std::initializer_list<Field> fields = {})
{
    event(Level::kError, what, fields);
}

}  // namespace tortie::log
