// SPDX-License-Identifier: Apache-2.0
#include "store/kubernetes_write.h"

#include <utility>

#include "base/strings.h"
#include "kube/json_objects.h"
#include "store/kubernetes_paths.h"
#include "store/names.h"

namespace tortie::store {
namespace {

// Felix, kube-controllers and later calls of ours read these (spec calico-cni.md 3.5).
constexpr const char *kContainerId = "cni.projectcalico.org/containerID";
constexpr const char *kPodIp = "cni.projectcalico.org/podIP";
constexpr const char *kPodIps = "cni.projectcalico.org/podIPs";

// A deletion empties the addresses and leaves the container's ID, so that a late DEL of another
// sandbox can be told apart.
kube::StringMap annotations_of(const Endpoint &endpoint, Op op)
{
    if (op == Op::kDelete)
        return {{kPodIp, ""}, {kPodIps, ""}};
    if (endpoint.ip_networks.empty())
        return {};
    kube::StringMap annotations{{kPodIp, endpoint.ip_networks.front()},
                                {kPodIps, join(endpoint.ip_networks, ",")}};
    if (!endpoint.container_id.empty())
        annotations.emplace(kContainerId, endpoint.container_id);
    return annotations;
}

Result<kube::Call> endpoint_patch(const Endpoint &endpoint, const Write &write)
{
    if (endpoint.ns.empty() || endpoint.pod.empty()) {
        return fail(ErrorKind::kInvalidInput,
                    "malformed WorkloadEndpoint name - unable to determine Pod name");
    }
    return kube::Call{.method = http::Method::kPatch,
                      .path = kube::pod_path(endpoint.ns, endpoint.pod) + "/status",
                      .body = kube::annotations_patch(
                          annotations_of(endpoint, write.op),
                          {.uid = write.expected.uid, .resource_version = write.expected.version}),
                      .content_type = "application/strategic-merge-patch+json"};
}

// What Calico says about a node stands in annotations, and nothing else of a node is Calico's to
// change.
Result<kube::Call> node_patch(const Node &node, const Write &write)
{
    if (write.op != Op::kUpdate || node.name.empty())
        return fail(ErrorKind::kUnsupported, describe(write.key) + ": is Kubernetes' own");
    return kube::Call{.method = http::Method::kPatch,
                      .path = kube::node_path(node.name) + "/status",
                      .body = kube::annotations_patch(
                          node.annotations,
                          {.uid = write.expected.uid, .resource_version = write.expected.version}),
                      .content_type = "application/strategic-merge-patch+json"};
}

Result<kube::Call> deletion(const Write &write, Spelling spelling)
{
    if (write.expected.version.empty())
        return fail(ErrorKind::kInvalidInput, "delete " + describe(write.key) + ": no revision");
    TORTIE_TRY(std::string path, object_path(write.key, spelling));
    return kube::Call{.method = http::Method::kDelete,
                      .path = std::move(path),
                      .body = kube::delete_options(
                          {.uid = write.expected.uid, .resource_version = write.expected.version})};
}

}  // namespace

Result<kube::Call> call_of(const Write &write, Spelling spelling)
{
    if (const auto *endpoint = std::get_if<Endpoint>(&write.document))
        return endpoint_patch(*endpoint, write);
    if (const auto *node = std::get_if<Node>(&write.document))
        return node_patch(*node, write);
    if (write.op == Op::kDelete)
        return deletion(write, spelling);
    const bool creates = write.op == Op::kCreate;
    if (!creates && write.expected.version.empty())
        return fail(ErrorKind::kInvalidInput, "update " + describe(write.key) + ": no revision");
    TORTIE_TRY(std::string path,
               creates ? collection_path(write.key, spelling) : object_path(write.key, spelling));
    TORTIE_TRY(std::string body,
               encode(write.document, spelling, creates ? Revision{} : write.expected));
    return kube::Call{.method = creates ? http::Method::kPost : http::Method::kPut,
                      .path = std::move(path),
                      .body = std::move(body)};
}

Result<Revision> revision_of(const Write &write, Result<std::string> answer)
{
    if (!answer) {
        Error error = std::move(answer).error();
        switch (error.kind()) {
        case ErrorKind::kNotFound:
            return fail(std::move(error).within("resource does not exist: " + describe(write.key) +
                                                " with error"));
        case ErrorKind::kExists:
            return fail(std::move(error).within("resource already exists: " + describe(write.key) +
                                                " with error"));
        case ErrorKind::kConflict:
            return fail(ErrorKind::kConflict, "update conflict: " + describe(write.key));
        default:
            return fail(std::move(error));
        }
    }
    if (write.op == Op::kDelete)
        return Revision{};
    auto version = kube::parse_version_of_object(*answer);
    if (!version) {  // a success that does not say of what
        return fail(Error(ErrorKind::kUnknownOutcome, version.error().what())
                        .within("write " + describe(write.key)));
    }
    return Revision{.version = std::move(version->resource_version),
                    .uid = std::move(version->uid)};
}

}  // namespace tortie::store
