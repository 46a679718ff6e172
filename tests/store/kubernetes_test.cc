// SPDX-License-Identifier: Apache-2.0
//
// The contract on a real API server: TORTIE_CLUSTER_KUBECONFIG names an administrator's kubeconfig,
// TORTIE_CLUSTER_GROUP the group of Calico's definitions that the cluster has. Everything of
// Calico's in it is deleted.
#include "store/kubernetes.h"

#include <cstdlib>

#include "conformance.h"
#include "kube/client.h"
#include "store/codec.h"

namespace tortie::store {
namespace {

using namespace std::chrono_literals;

// The test's own environment: the product is given one.
const char *environment(const char *name)
{
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
}

class KubernetesPlace : public Place {
public:
    KubernetesPlace(std::string kubeconfig, const std::string &group)
        : client_({.kubeconfig = kubeconfig}, environment), v3_(group == "projectcalico.org/v3")
    {
        settings_.kubeconfig = std::move(kubeconfig);
        settings_.group = v3_ ? ApiGroup::kCrdV3 : ApiGroup::kCrdV1;
        clear();
        ClusterInformation ready;
        ready.datastore_ready = true;
        const std::string body = encode(ready, v3_ ? Spelling::kCrdV3 : Spelling::kCrdV1).value();
        EXPECT_TRUE(send(http::Method::kPost, "clusterinformations", body));
    }
    ~KubernetesPlace() override { clear(); }
    KubernetesPlace(const KubernetesPlace &) = delete;
    KubernetesPlace &operator=(const KubernetesPlace &) = delete;
    KubernetesPlace(KubernetesPlace &&) = delete;
    KubernetesPlace &operator=(KubernetesPlace &&) = delete;

    std::unique_ptr<Store> open() override { return open_kubernetes(settings_, environment); }
    bool spoil(const Key &) override { return false; }

private:
    Result<std::string> send(http::Method method, const std::string &plural,
                             const std::string &body = "")
    {
        const std::string group = v3_ ? "projectcalico.org/v3/" : "crd.projectcalico.org/v1/";
        return client_.send({.method = method, .path = "/apis/" + group + plural, .body = body},
                            Deadline::in(20s));
    }

    void clear()
    {
        for (const char *plural :
             {"ipamblocks", "blockaffinities", "ipamhandles", "clusterinformations", "ippools",
              "ipreservations", v3_ ? "ipamconfigurations" : "ipamconfigs"}) {
            const auto deleted = send(http::Method::kDelete, plural);
            EXPECT_TRUE(deleted) << deleted.error().what();
        }
    }

    kube::Client client_;
    KubernetesSettings settings_;
    bool v3_;
};

std::unique_ptr<Place> kubernetes_place(std::string &missing)
{
    const char *kubeconfig = environment("TORTIE_CLUSTER_KUBECONFIG");
    const char *group = environment("TORTIE_CLUSTER_GROUP");
    if (kubeconfig && group)
        return std::make_unique<KubernetesPlace>(kubeconfig, group);
    missing = "TORTIE_CLUSTER_KUBECONFIG and TORTIE_CLUSTER_GROUP are not set";
    return nullptr;
}

INSTANTIATE_TEST_SUITE_P(Kubernetes, Conformance,
                         testing::Values(PlaceMaker{"kubernetes", &kubernetes_place}));

}  // namespace
}  // namespace tortie::store
