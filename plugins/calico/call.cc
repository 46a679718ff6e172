// SPDX-License-Identifier: Apache-2.0
#include "calico/call.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "base/process.h"
#include "calico/log.h"
#include "calico/node_files.h"
#include "cni/args.h"

namespace tortie::calico_cni {
namespace {

using Args = std::map<std::string, std::string, std::less<>>;

constexpr std::int64_t kMegabyte = std::int64_t{1} << 20;

std::string text_of(const Args &args, std::string_view key)
{
    const auto found = args.find(key);
    return found == args.end() ? "" : found->second;
}

// Runtimes add keys of their own; Calico ignores them whatever the caller says.
std::string lenient_args(const std::string &args)
{
    return args.empty() ? "IgnoreUnknown=1" : "IgnoreUnknown=1;" + args;
}

Result<Args> read_args(const cni::Request &request)
{
    static const std::vector<std::string_view> known = {
        "K8S_POD_NAME", "K8S_POD_NAMESPACE", "K8S_POD_INFRA_CONTAINER_ID", "K8S_POD_UID",
        "IP",           "CNI_TEST_NAMESPACE"};
    return cni::parse_args(lenient_args(request.args), known);
}

Result<> take_args(const Args &args, Call &call)
{
    call.pod = text_of(args, "K8S_POD_NAME");
    call.ns = text_of(args, "K8S_POD_NAMESPACE");
    call.pod_uid = text_of(args, "K8S_POD_UID");
    if (call.pod.empty() || call.ns.empty()) {
        call.pod.clear();
        call.ns = text_of(args, "CNI_TEST_NAMESPACE");
    }
    if (call.ns.empty())
        call.ns = "default";
    const std::string address = text_of(args, "IP");
    if (address.empty())
        return {};
    call.requested_address = IpAddr::parse(address);
    if (!call.requested_address)
        return fail(ErrorKind::kInvalidInput, "ARGS: error parsing value of pair \"IP=" + address +
                                                  "\": invalid IP address: " + address);
    return {};
}

void open_call_log(const Call &call)
{
    calico::open_log({.component = "cni-plugin",
                      .level = call.conf.log.level,
                      .file_path = call.conf.log.file_path,
                      .max_size_bytes = call.conf.log.max_size_mb * kMegabyte,
                      .max_age_days = call.conf.log.max_age_days,
                      .max_count = call.conf.log.max_count},
                     {{"ContainerID", call.request->container_id},
                      {"Pod", call.pod},
                      {"Namespace", call.is_pod() ? call.ns : ""}});
}

}  // namespace

calico::WorkloadIds Call::ids() const
{
    return {.node = node,
            .orchestrator = std::string(is_pod() ? calico::kKubernetes : calico::kPlainCni),
            .workload = {},
            .pod = pod,
            .container_id = request->container_id,
            .endpoint = request->ifname};
}

tl::expected<Call, cni::CniError> read_call(const cni::Request &request)
{
    auto conf = parse_netconf(request.config);
    if (!conf)
        return tl::make_unexpected(
            cni::CniError(cni::Code::kInvalidConfiguration, conf.error().what()));
    const Deadline deadline = Deadline::in(conf->datastore_timeout);
    Call call{.request = &request,
              .conf = *std::move(conf),
              .node = {},
              .pod = {},
              .ns = {},
              .pod_uid = {},
              .requested_address = {},
              .deadline = deadline};
    const auto args = read_args(request);
    const auto taken = args ? take_args(*args, call) : fail(args.error());
    open_call_log(call);
    if (!taken)
        return tl::make_unexpected(cni::CniError(taken.error()));
    call.node = calico::node_name({.nodename = call.conf.nodename,
                                   .nodename_file = call.conf.nodename_file,
                                   .hostname = call.conf.hostname});
    return call;
}

std::vector<std::string> child_environment(const Call &call)
{
    StringPairs ours = call.conf.datastore_environment;
    ours.emplace_back("CNI_ARGS", lenient_args(call.request->args));
    std::vector<std::string> environment;
    for (char **entry = ::environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::string_view name = text.substr(0, text.find('='));
        const bool replaced = std::any_of(ours.begin(), ours.end(),
                                          [&](const auto &pair) { return pair.first == name; });
        if (!replaced && !text.empty())
            environment.emplace_back(text);
    }
    for (const auto &[name, value] : ours)
        environment.push_back(std::string(name).append("=").append(value));
    return environment;
}

std::string environment_variable(const char *name)
{
    const char *value = get_env(name);
    return value == nullptr ? "" : value;
}

cni::CniError failure(const Error &error)
{
    switch (error.kind()) {
    case ErrorKind::kTryAgain:
    case ErrorKind::kConflict:
    case ErrorKind::kUnknownOutcome:
    case ErrorKind::kNotAttempted:
        return {cni::Code::kTryAgainLater, error.what()};
    default:
        return {cni::Code::kUnspecified, error.what()};
    }
}

Result<> go_on()
{
    sigset_t pending;
    ::sigemptyset(&pending);
    ::sigpending(&pending);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        if (::sigismember(&pending, signal) == 1)
            return fail(ErrorKind::kTryAgain, "interrupted by the runtime");
    }
    return {};
}

}  // namespace tortie::calico_cni
