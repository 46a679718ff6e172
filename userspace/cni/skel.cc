// SPDX-License-Identifier: Apache-2.0
#include "cni/skel.h"

#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "cni/environment.h"
#include "cni/version.h"

namespace tortie::cni {
namespace {

constexpr std::size_t kMaxStdinBytes = std::size_t{1} << 20;

tl::unexpected<CniError> refuse(Code code, std::string msg, std::string details = {})
{
    return tl::make_unexpected(CniError(code, std::move(msg), std::move(details)));
}

// A path that cannot be opened is another namespace that is gone: fine.
bool is_own_netns(const std::string &path)
{
    struct stat own {};
    struct stat other {};
    return ::stat("/proc/self/ns/net", &own) == 0 && ::stat(path.c_str(), &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

CniError own_netns_refusal()
{
    return {Code::kInvalidNamespace,
            "plugin's netns and netns from CNI_NETNS should not be the same"};
}

tl::expected<Request, CniError> read_request(Environment env, const Call &call)
{
    Request request;
    auto text = call.read_stdin();
    if (!text)
        return refuse(Code::kIo, "error reading from stdin: " + text.error().what());
    // null leaves every key at its default.
    auto config = Json::parse_object(trim(*text) == "null" ? "{}" : std::string_view(*text));
    if (!config)
        return refuse(Code::kDecoding, "error unmarshall network config: " + config.error().what());
    auto name = config->string("name");
    if (!name)
        return refuse(Code::kDecoding, "error unmarshall network config: " + name.error().what());
    if (name->empty())
        return refuse(Code::kInvalidConfiguration, "missing network name");
    if (!is_valid_name(*name))
        return refuse(Code::kInvalidConfiguration, "invalid characters found in network name",
                      *name);
    request.command = std::move(env.command);
    request.container_id = std::move(env.container_id);
    request.netns = std::move(env.netns);
    request.ifname = std::move(env.ifname);
    request.args = std::move(env.args);
    request.path = std::move(env.path);
    request.search_path = std::move(env.search_path);
    request.network = *std::move(name);
    request.stdin_text = *std::move(text);
    request.config = *std::move(config);
    return request;
}

tl::expected<std::string, CniError> read_version(const Json &config)
{
    auto version = config.string("cniVersion");
    if (!version)
        return refuse(Code::kDecoding,
                      "decoding version from network config: " + version.error().what());
    return version->empty() ? "0.1.0" : *std::move(version);
}

struct Verb {
    Handler handler = nullptr;
    bool known = false;
};

Verb find_verb(const Plugin &plugin, std::string_view command)
{
    if (command == "ADD")
        return {plugin.add, true};
    if (command == "DEL")
        return {plugin.del, true};
    if (command == "CHECK")
        return {plugin.check, true};
    if (command == "GC")
        return {plugin.gc, true};
    if (command == "STATUS")
        return {plugin.status, true};
    return {};
}

// The last net: a library that throws must not end in an abort without an answer.
Answer call_handler(Handler handler, const Request &request)
{
    if (handler == nullptr)
        return std::string();
    try {
        return handler(request);
    } catch (const std::exception &e) {
        return refuse(Code::kUnspecified, std::string("internal error: ") + e.what());
    }
}

Answer answer(const Plugin &plugin, Environment env, const Call &call)
{
    if (env.command == "VERSION")
        return version_report();
    const bool netns_override = env.netns_override;
    TORTIE_TRY(Request request, read_request(std::move(env), call));
    const Verb verb = find_verb(plugin, request.command);
    if (!verb.known)
        return refuse(Code::kInvalidEnvironment, "unknown CNI_COMMAND: " + request.command);
    TORTIE_TRY(request.cni_version, read_version(request.config));
    if (auto refusal = version_refusal(request.command, request.cni_version))
        return tl::make_unexpected(*std::move(refusal));

    const bool own = (request.command == "ADD" || request.command == "DEL") && !netns_override &&
                     !request.netns.empty() && is_own_netns(request.netns);
    if (!own)
        return call_handler(verb.handler, request);
    // A recycled pid's namespace can be the node's. DEL then cleans up as for a container that is
    // gone, and answers as the Go library does.
    if (request.command == "DEL") {
        request.netns.clear();
        TORTIE_DO(call_handler(verb.handler, request));
    }
    return tl::make_unexpected(own_netns_refusal());
}

Outcome about(const Plugin &plugin)
{
    const std::string name =
        plugin.about != nullptr ? plugin.about : "CNI " + std::string(plugin.name) + " plugin";
    std::string versions;
    for (const std::string_view version : supported_versions())
        versions += (versions.empty() ? "" : ", ") + std::string(version);
    return {.status = 0,
            .out = {},
            .err = name + ' ' + std::string(program_version()) +
                   "\nCNI protocol versions supported: " + versions + "\n",
            .failure = {}};
}

std::string text_of(const char *value)
{
    return value == nullptr ? "" : value;
}

void log_outcome(const Plugin &plugin, const Outcome &outcome, const std::string &command,
                 std::chrono::steady_clock::duration took)
{
    if (outcome.failure) {
        const std::string code = std::to_string(static_cast<unsigned>(outcome.failure->code));
        log::error(plugin.failure_line != nullptr ? plugin.failure_line(command) : "failed",
                   {{"code", code},
                    {"msg", outcome.failure->msg},
                    {"details", outcome.failure->details},
                    {"cause", outcome.failure->cause}});
        return;
    }
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    const std::string ms = std::to_string(us / 1000) + '.' + std::to_string(us / 100 % 10);
    log::event(command == "ADD" ? log::Level::kInfo : log::Level::kDebug, "done", {{"ms", ms}});
}

void hold_signals()
{
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        ::sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

Outcome dispatch(const Plugin &plugin, const Call &call)
{
    if (text_of(call.get_env("CNI_COMMAND")).empty())
        return about(plugin);
    auto env = read_environment(call.get_env);
    Answer result = env ? answer(plugin, *std::move(env), call)
                        : Answer(tl::make_unexpected(std::move(env).error()));
    if (result)
        return {.status = 0, .out = *std::move(result), .err = {}, .failure = {}};
    return {.status = 1,
            .out = result.error().to_json(),
            .err = {},
            .failure = std::move(result).error()};
}

std::string_view program_version()
{
    return "v" TORTIE_VERSION " (tortie)";
}

int run(const Plugin &plugin)
{
    const auto start = std::chrono::steady_clock::now();
    const std::string command = text_of(get_env("CNI_COMMAND"));
    const std::string container = text_of(get_env("CNI_CONTAINERID")).substr(0, 12);
    log::open(log::level_from(text_of(get_env("TORTIE_LOG"))),
              {{"plugin", plugin.name},
               {"cmd", command},
               {"container", container},
               {"ifname", text_of(get_env("CNI_IFNAME"))},
               {"netns", text_of(get_env("CNI_NETNS"))}});

    Outcome outcome;
    if (auto hardened = harden_process(); hardened) {
        hold_signals();
        outcome = dispatch(plugin, {.get_env = get_env, .read_stdin = [] {
                                        return read_to_end(0, kMaxStdinBytes, "stdin");
                                    }});
    } else {
        CniError refusal(std::move(hardened).error());
        outcome = {.status = 1, .out = refusal.to_json(), .err = {}, .failure = refusal};
    }
    if (!command.empty())
        log_outcome(plugin, outcome, command, std::chrono::steady_clock::now() - start);
    const bool told = write_all(1, outcome.out, "stdout") && write_all(2, outcome.err, "stderr");
    return told ? outcome.status : 1;
}

}  // namespace tortie::cni
