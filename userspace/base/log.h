// SPDX-License-Identifier: Apache-2.0
//
// One line an event, `key=value`, to stderr: stdout belongs to the CNI result. What happened is a
// constant text, what varies is a field, so that a log can be searched.
//
// Secrets and configuration never go in. Values may come from a pod's author: they are quoted and
// escaped, so that they cannot start a line of their own.
#pragma once

#include <initializer_list>
#include <span>
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

// Never fails. `file` and `line` are where the call stands.
void event(Level level, std::string_view what, std::initializer_list<Field> fields = {},
           const char *file = __builtin_FILE(), int line = __builtin_LINE());

inline void debug(std::string_view what, std::initializer_list<Field> fields = {},
                  const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    event(Level::kDebug, what, fields, file, line);
}
inline void info(std::string_view what, std::initializer_list<Field> fields = {},
                 const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    event(Level::kInfo, what, fields, file, line);
}
inline void warn(std::string_view what, std::initializer_list<Field> fields = {},
                 const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    event(Level::kWarn, what, fields, file, line);
}
inline void error(std::string_view what, std::initializer_list<Field> fields = {},
                  const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    event(Level::kError, what, fields, file, line);
}

// For programs whose log has a form of its own: from here on events from `lowest` on go to
// `writer` and not to stderr.
struct Event {
    Level level;
    std::string_view what;
    std::span<const Field> fields;
    std::string_view file;  // without folders
    int line;
};
using Writer = void (*)(const Event &);
void write_with(Writer writer, Level lowest);

}  // namespace tortie::log
