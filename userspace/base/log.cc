// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/file.h"

namespace tortie::log {
namespace {

struct Settings {
    Level lowest = Level::kInfo;
    std::string always;
    Writer writer = nullptr;
};

Settings &settings()
{
    static Settings the;
    return the;
}

std::string_view name_of(Level level)
{
    switch (level) {
    case Level::kDebug:
        return "debug";
    case Level::kInfo:
        return "info";
    case Level::kWarn:
        return "warn";
    case Level::kError:
        return "error";
    }
    return "error";
}

// UTC, and not by gmtime_r(), which reads the node's /etc/localtime in every plugin call.
std::string timestamp(std::chrono::system_clock::time_point now)
{
    using namespace std::chrono;  // NOLINT(google-build-using-namespace): units
    const auto day = floor<days>(now);
    const year_month_day date(day);
    const hh_mm_ss time(floor<milliseconds>(now - day));
    char text[40];
    const int length = std::snprintf(
        text, sizeof(text), "%04d-%02u-%02uT%02ld:%02ld:%02ld.%03ldZ",
        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()), static_cast<long>(time.hours().count()),
        static_cast<long>(time.minutes().count()), static_cast<long>(time.seconds().count()),
        static_cast<long>(time.subseconds().count()));
    return {text, static_cast<std::size_t>(length)};
}

bool needs_quotes(std::string_view text)
{
    return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
               const auto u = static_cast<unsigned char>(c);
               return u <= ' ' || u >= 0x7f || c == '"' || c == '=' || c == '\\';
           });
}

void append_quoted(std::string &line, std::string_view text)
{
    line += '"';
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (u < ' ' || u == 0x7f) {
            constexpr std::string_view kDigits = "0123456789abcdef";
            line += {'\\', 'x', kDigits[u >> 4], kDigits[u & 15]};
            continue;
        }
        if (c == '"' || c == '\\')
            line += '\\';
        line += c;
    }
    line += '"';
}

void append(std::string &line, const Field &field)
{
    if (!line.empty())
        line += ' ';
    line += field.key;
    line += '=';
    if (needs_quotes(field.value))
        append_quoted(line, field.value);
    else
        line += field.value;
}

}  // namespace

Level level_from(std::string_view text)
{
    if (text == "debug")
        return Level::kDebug;
    if (text == "warn")
        return Level::kWarn;
    if (text == "error")
        return Level::kError;
    return Level::kInfo;
}

void open(Level lowest, std::initializer_list<Field> always)
{
    settings().lowest = lowest;
    settings().always.clear();
    for (const Field &field : always)
        append(settings().always, field);
}

void write_with(Writer writer, Level lowest)
{
    settings().writer = writer;
    settings().lowest = lowest;
}

void event(Level level, std::string_view what, std::initializer_list<Field> fields,
           const char *file, int line_number)
{
    if (level < settings().lowest)
        return;
    if (settings().writer != nullptr) {
        const std::string_view path = file;
        settings().writer({.level = level,
                           .what = what,
                           .fields = {fields.begin(), fields.size()},
                           .file = path.substr(path.rfind('/') + 1),
                           .line = line_number});
        return;
    }
    std::string line = timestamp(std::chrono::system_clock::now());
    append(line, {"level", name_of(level)});
    if (!settings().always.empty())
        line += ' ' + settings().always;
    append(line, {"event", what});
    for (const Field &field : fields)
        append(line, field);
    line += '\n';
    // In one call, so that lines of plugins that run at once do not mix. Who could be told that it
    // failed?
    [[maybe_unused]] const auto ignored = write_all(2, line, "stderr");
}

}  // namespace tortie::log
