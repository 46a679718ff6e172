// SPDX-License-Identifier: Apache-2.0
#include "cni/delegate.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/strings.h"
#include "base/subprocess.h"

namespace tortie::cni {
namespace {

using namespace std::chrono_literals;

bool is_regular_file(const std::string &path)
{
    struct stat st {};
    return ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

std::vector<std::string> with_command(const std::vector<std::string> &inherited,
                                      std::string_view command)
{
    std::vector<std::string> env;
    for (const std::string &entry : inherited) {
        if (!entry.starts_with("CNI_COMMAND="))
            env.push_back(entry);
    }
    env.push_back("CNI_COMMAND=" + std::string(command));
    return env;
}

// An installer that writes in place keeps a program busy for a moment; the Go library waits for it
// five times.
Result<Exit> run_even_if_busy(const Command &command)
{
    for (int tries = 5;; --tries) {
        auto exit = run_command(command);
        if (exit || exit.error().sys_errno() != ETXTBSY || tries == 0)
            return exit;
        std::this_thread::sleep_for(1s);
    }
}

CniError failure_of(const Exit &exit)
{
    if (exit.output.empty() && exit.diagnostics.empty())
        return {Code::kUnspecified, "netplugin failed with no error message: exit status " +
                                        std::to_string(exit.status)};
    if (exit.output.empty())
        return {Code::kUnspecified, "netplugin failed: \"" + exit.diagnostics + '"'};
    const auto object = Json::parse_object(exit.output);
    const auto code = object ? object->integer("code", 999) : fail(object.error());
    const auto msg = object ? object->string("msg") : fail(object.error());
    const auto details = object ? object->string("details") : fail(object.error());
    if (!code || !msg || !details || *code < 0 || *code > INT32_MAX)
        return {Code::kUnspecified,
                "netplugin failed but error parsing its diagnostic message \"" + exit.output + '"'};
    return {static_cast<Code>(*code), *msg, *details};
}

}  // namespace

Result<std::string> find_plugin(std::string_view type, std::string_view cni_path)
{
    if (type.empty() || type == "." || type == ".." || type.find('/') != std::string_view::npos)
        return fail(ErrorKind::kInvalidInput, "invalid plugin name: " + std::string(type));
    std::string searched;
    for (const std::string_view directory : split(cni_path, ':')) {
        if (!directory.starts_with('/'))
            continue;
        std::string candidate = std::string(directory) + '/' + std::string(type);
        if (is_regular_file(candidate))
            return candidate;
        searched += (searched.empty() ? "" : " ") + std::string(directory);
    }
    return fail(ErrorKind::kNotFound,
                "failed to find plugin \"" + std::string(type) + "\" in path [" + searched + ']');
}

Answer delegate(std::string_view type, std::string_view command, const Request &request,
                const std::vector<std::string> &inherited)
{
    TORTIE_TRY(const std::string program, find_plugin(type, request.path));
    const Command child{.argv = {program},
                        .env = with_command(inherited, command),
                        .input = request.stdin_text,
                        .deadline = 120s,
                        .max_output_bytes = std::size_t{1} << 20};
    TORTIE_TRY(Exit exit, run_even_if_busy(child));
    if (exit.status != 0)
        return tl::make_unexpected(failure_of(exit));
    return std::move(exit.output);
}

}  // namespace tortie::cni
