// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tortie::log {
namespace {

struct Logger {
    Logger()
    {
        // UTC: local time would read the node's /etc/localtime in every plugin call.
        out.set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc));
        out.flush_on(spdlog::level::trace);
    }

    spdlog::logger out{"tortie", std::make_shared<spdlog::sinks::stderr_sink_st>()};
    std::string always;
};

Logger &logger()
{
    static Logger the;
    return the;
}

spdlog::level::level_enum to_spdlog(Level level)
{
    switch (level) {
    case Level::kDebug:
        return spdlog::level::debug;
    case Level::kInfo:
        return spdlog::level::info;
    case Level::kWarn:
        return spdlog::level::warn;
    case Level::kError:
        return spdlog::level::err;
    }
    return spdlog::level::err;
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
            line += fmt::format("\\x{:02x}", u);
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
    Logger &log = logger();
    log.out.set_level(to_spdlog(lowest));
    log.always.clear();
    for (const Field &field : always)
        append(log.always, field);
}

void event(Level level, std::string_view what, std::initializer_list<Field> fields)
{
    Logger &log = logger();
    if (!log.out.should_log(to_spdlog(level)))
        return;
    std::string line = log.always;
    append(line, {"event", what});
    for (const Field &field : fields)
        append(line, field);
    log.out.log(to_spdlog(level), line);
}

}  // namespace tortie::log
