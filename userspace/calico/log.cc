// SPDX-License-Identifier: Apache-2.0
#include "calico/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/strings.h"
#include "base/unique_fd.h"

namespace tortie::calico {
namespace {

constexpr mode_t kFileMode = 0644;
constexpr std::string_view kReason = "size";  // why a file was rotated, part of its name

struct Log {
    std::string component;
    std::map<std::string, std::string, std::less<>> always;
    std::string path;
    std::int64_t max_size_bytes = 0;
    std::int64_t max_age_days = 0;
    std::int64_t max_count = 0;
    UniqueFd file;
};

Log &the_log()
{
    static Log log;
    return log;
}

const char *name_of(log::Level level)
{
    switch (level) {
    case log::Level::kDebug:
        return "DEBUG";
    case log::Level::kInfo:
        return "INFO";
    case log::Level::kWarn:
        return "WARNING";
    case log::Level::kError:
        return "ERROR";
    }
    return "ERROR";
}

// Local time as people read it, or UTC as it stands in names of files.
std::string timestamp(bool for_a_name)
{
    std::timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm parts{};
    char text[64];
    std::size_t length = 0;
    if (for_a_name) {
        ::gmtime_r(&now.tv_sec, &parts);
        length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H-%M-%S", &parts);
    } else {
        ::localtime_r(&now.tv_sec, &parts);
        length = std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    }
    const std::string milliseconds = std::to_string(1000 + now.tv_nsec / 1'000'000);
    return std::string(text, length) + '.' + milliseconds.substr(1);
}

std::string line_of(const log::Event &event)
{
    const Log &log = the_log();
    std::map<std::string, std::string, std::less<>> fields = log.always;
    for (const log::Field &field : event.fields)
        fields.insert_or_assign(std::string(field.key), std::string(field.value));
    std::string line = timestamp(false);
    line += " [" + std::string(name_of(event.level)) + "][" + std::to_string(::getpid()) + "] " +
            log.component + '/' + std::string(event.file) + ' ' + std::to_string(event.line) +
            ": " + std::string(event.what);
    for (const auto &[key, value] : fields)
        line += ' ' + key + '=' + go_quoted(value);
    line += '\n';
    return line;
}

// ---- rotation ------------------------------------------------------------------------------

struct SplitPath {
    std::string folder;  // with its slash
    std::string stem;    // "cni"
    std::string ending;  // ".log"
};

SplitPath split_path(const std::string &path)
{
    const std::size_t slash = path.rfind('/');
    const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
    const std::size_t dot = path.rfind('.');
    const bool has_ending = dot != std::string::npos && dot > name;
    const std::size_t end = has_ending ? dot : path.size();
    return {.folder = path.substr(0, name),
            .stem = path.substr(name, end - name),
            .ending = path.substr(end)};
}

// Oldest first: the time stands in the name. Those that Go's plugin compressed count, too.
std::vector<std::string> rotated_files(const SplitPath &path)
{
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR *)> folder(
        ::opendir(path.folder.empty() ? "." : path.folder.c_str()), ::closedir);
    if (!folder)
        return names;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own
    while (const dirent *entry = ::readdir(folder.get())) {
        const std::string_view name = entry->d_name;
        const bool ours = name.starts_with(path.stem + '-') &&
                          (name.ends_with(path.ending) || name.ends_with(path.ending + ".zst")) &&
                          name.find("-" + std::string(kReason)) != std::string_view::npos;
        if (ours)
            names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

void remove_old_files(const Log &log)
{
    const SplitPath path = split_path(log.path);
    std::vector<std::string> names = rotated_files(path);
    const auto most = static_cast<std::size_t>(std::max<std::int64_t>(log.max_count, 0));
    const std::time_t oldest = ::time(nullptr) - log.max_age_days * 24 * 60 * 60;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string file = path.folder + names[i];
        struct stat st {};
        const bool too_old = ::stat(file.c_str(), &st) == 0 && st.st_mtime < oldest;
        if (names.size() - i > most || too_old)
            ::unlink(file.c_str());
    }
}

UniqueFd open_file(const std::string &path)
{
    UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, kFileMode));
    struct stat st {};
    const bool usable = fd.valid() && ::fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode);
    if (!usable)
        return UniqueFd();
    if (st.st_size == 0)
        ::fchmod(fd.get(), kFileMode);  // whatever the umask
    return fd;
}

// Moves the file away, unless another process has done it: then its place is another file.
void rotate(Log &log)
{
    const UniqueFd held = std::move(log.file);
    ::flock(held.get(), LOCK_EX);
    struct stat ours {};
    struct stat now {};
    const bool still_there = ::fstat(held.get(), &ours) == 0 &&
                             ::stat(log.path.c_str(), &now) == 0 && ours.st_dev == now.st_dev &&
                             ours.st_ino == now.st_ino;
    if (still_there) {
        const SplitPath path = split_path(log.path);
        const std::string rotated = path.folder + path.stem + '-' + timestamp(true) + '-' +
                                    std::string(kReason) + path.ending;
        // Not over one of the same millisecond: then this file gets a little longer.
        if (::renameat2(AT_FDCWD, log.path.c_str(), AT_FDCWD, rotated.c_str(), RENAME_NOREPLACE) ==
            0)
            remove_old_files(log);
    }
    log.file = open_file(log.path);
}

void write_to_file(Log &log, std::string_view line)
{
    struct stat st {};
    if (::fstat(log.file.get(), &st) == 0 && st.st_size > 0 &&
        st.st_size + static_cast<std::int64_t>(line.size()) > log.max_size_bytes)
        rotate(log);
    if (log.file.valid()) [[maybe_unused]]
        const auto ignored = write_all(log.file.get(), line, log.path);
}

// In one call each, so that lines of programs that run at once do not mix.
void write_event(const log::Event &event)
{
    const std::string line = line_of(event);
    [[maybe_unused]] const auto ignored = write_all(2, line, "stderr");
    if (the_log().file.valid())
        write_to_file(the_log(), line);
}

log::Level level_from(std::string_view text)
{
    if (equals_ignore_case(text, "debug"))
        return log::Level::kDebug;
    return equals_ignore_case(text, "error") ? log::Level::kError : log::Level::kInfo;
}

}  // namespace

void open_log(const LogSettings &settings, std::initializer_list<log::Field> always)
{
    Log &log = the_log();
    log = Log();
    log.component = settings.component;
    for (const log::Field &field : always) {
        if (!field.value.empty())
            log.always.emplace(field.key, field.value);
    }
    log.path = settings.file_path;
    log.max_size_bytes = settings.max_size_bytes;
    log.max_age_days = settings.max_age_days;
    log.max_count = settings.max_count;
    log::write_with(write_event, level_from(settings.level));
    if (log.path.empty())
        return;
    const std::string folder = split_path(log.path).folder;
    if (auto made = folder.empty() ? Result<>() : make_directories(folder, 0755); !made)
        log::error("Failed to create path for CNI log file: " + folder);
    log.file = open_file(log.path);
    if (!log.file.valid())
        log::warn("cannot write the log file", {{"file", log.path}});
}

}  // namespace tortie::calico
