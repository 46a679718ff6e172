// SPDX-License-Identifier: Apache-2.0
#include "calico/connection_test.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "calico/call.h"
#include "calico/datastore.h"
#include "cni/skel.h"

namespace tortie::calico_cni {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostStdinBytes = std::size_t{1} << 20;
constexpr std::chrono::milliseconds kLimit = 2s;
constexpr auto kFailed = static_cast<cni::Code>(100);

// The object that everybody may read stands for the server that holds it.
Result<> reach_kubernetes(const Datastore &datastore)
{
    const auto answered = store::get<kube::Namespace>(
        *datastore.store, store::NamespaceKey{.name = "default"}, Deadline::in(kLimit));
    if (answered || answered.error().kind() == ErrorKind::kNotFound)
        return {};
    return fail(Error(answered.error()).within("unable to connect to K8s server"));
}

Result<> try_datastore(const cni::Request &request)
{
    const auto call = read_call(request);
    if (!call)
        return fail(ErrorKind::kInvalidInput, call.error().msg);
    TORTIE_TRY(const Datastore datastore, open_datastore(call->conf, call->node));
    const store::Query query = store::Key(store::ClusterInformationKey{});
    TORTIE_DO(
        require_ready(std::move(datastore.store->read({&query, 1}, Deadline::in(kLimit)).front())));
    // Where Calico's documents are Kubernetes' own, that server has just answered.
    if (datastore.local || datastore.store->endpoints_are_pods() ||
        call->conf.kubernetes.kubeconfig.empty())
        return {};
    return reach_kubernetes(datastore);
}

Result<> try_configuration()
{
    TORTIE_DO(harden_process());
    auto text = read_to_end(0, kMostStdinBytes, "stdin");
    if (!text)
        return fail(ErrorKind::kInvalidInput, "failed to read from stdin");
    auto config = cni::Json::parse_object(*text);
    if (!config)
        return fail(std::move(config).error().within("failed to load netconf"));
    cni::Request request;
    request.network = config->string("name").value_or("");
    request.stdin_text = *std::move(text);
    request.config = *std::move(config);
    return try_datastore(request);
}

}  // namespace

int run_connection_test()
{
    const auto tried = try_configuration();
    if (tried)
        return 0;
    log::error("data store connection failed", {{"error", tried.error().what()}});
    const cni::CniError failed(kFailed, "data store connection failed", tried.error().what());
    [[maybe_unused]] const auto ignored = write_all(1, failed.to_json(), "stdout");
    return 1;
}

}  // namespace tortie::calico_cni
