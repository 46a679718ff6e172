// SPDX-License-Identifier: Apache-2.0
#include "store/kubernetes.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/strings.h"
#include "kube/client.h"
#include "kube/json_objects.h"
#include "store/codec.h"
#include "store/kubernetes_group.h"
#include "store/kubernetes_paths.h"
#include "store/kubernetes_read.h"
#include "store/kubernetes_write.h"

namespace tortie::store {
namespace {

kube::AccessSettings access_settings(const KubernetesSettings &settings)
{
    return {.kubeconfig = settings.kubeconfig,
            .api_endpoint = settings.api_endpoint,
            .cert_file = settings.cert_file,
            .key_file = settings.key_file,
            .ca_file = settings.ca_file,
            .token = settings.token,
            .current_context = settings.current_context,
            .insecure_skip_tls_verify = settings.insecure_skip_tls_verify,
            .in_cluster = settings.in_cluster,
            .connect_limit = settings.connect_limit};
}

class KubernetesStore final : public Store {
public:
    KubernetesStore(const KubernetesSettings &settings, GetEnv get_env, std::string cache_dir)
        : client_(access_settings(settings), std::move(get_env)),
          group_(settings.group, std::move(cache_dir))
    {
    }

    std::vector<Found> read(std::span<const Query> queries, Deadline deadline) override;
    Written commit(std::span<const Write> writes, Deadline deadline) override;
    Exchanged exchange(std::span<const Query> queries, std::span<const Write> writes,
                       Deadline deadline) override;
    bool atomic() const override { return false; }
    bool endpoints_are_pods() const override { return true; }

private:
    Result<Spelling> spelling_for(std::span<const Query> queries, Deadline deadline);
    bool commit_stage(std::span<const Write> writes, unsigned stage, Spelling spelling,
                      std::vector<std::optional<Result<Revision>>> &written, Deadline deadline);

    kube::Client client_;
    GroupChoice group_;
};

Result<Spelling> KubernetesStore::spelling_for(std::span<const Query> queries, Deadline deadline)
{
    if (std::all_of(queries.begin(), queries.end(), is_core))
        return Spelling::kCrdV1;  // not looked at
    return group_.get(client_, deadline);
}

std::vector<Found> KubernetesStore::read(std::span<const Query> queries, Deadline deadline)
{
    for (;;) {
        const auto spelling = spelling_for(queries, deadline);
        if (!spelling)
            return std::vector<Found>(queries.size(), fail(spelling.error()));
        std::vector<Found> found = read_all(client_, queries, *spelling, deadline);
        bool type_missing = false;
        for (std::size_t i = 0; i < queries.size(); ++i) {
            type_missing = type_missing || (!is_core(queries[i]) && !found[i] &&
                                            found[i].error().kind() == ErrorKind::kUnsupported);
        }
        if (!type_missing || !group_.forget())
            return found;
    }
}

// True when every write of the stage took effect.
bool KubernetesStore::commit_stage(std::span<const Write> writes, unsigned stage, Spelling spelling,
                                   std::vector<std::optional<Result<Revision>>> &written,
                                   Deadline deadline)
{
    std::vector<kube::Call> calls;
    std::vector<std::size_t> which;
    bool fine = true;
    for (std::size_t i = 0; i < writes.size(); ++i) {
        if (writes[i].stage != stage)
            continue;
        auto call = call_of(writes[i], spelling);
        if (call) {
            calls.push_back(*std::move(call));
            which.push_back(i);
        } else {
            written[i] = fail(std::move(call).error());
            fine = false;
        }
    }
    if (!fine)
        return false;  // the others of the stage have not left, either
    auto answers = client_.exchange(calls, deadline);
    for (std::size_t n = 0; n < which.size(); ++n) {
        written[which[n]] = revision_of(writes[which[n]], std::move(answers[n]));
        fine = fine && written[which[n]]->has_value();
    }
    return fine;
}

Written KubernetesStore::commit(std::span<const Write> writes, Deadline deadline)
{
    std::vector<std::optional<Result<Revision>>> written(writes.size());
    std::set<unsigned> stages;
    for (const Write &write : writes)
        stages.insert(write.stage);
    const auto spelling = group_.get(client_, deadline);
    if (!spelling)
        return Written(writes.size(), fail(spelling.error()));
    for (const unsigned stage : stages) {
        if (!commit_stage(writes, stage, *spelling, written, deadline))
            break;
    }
    Written results;
    results.reserve(writes.size());
    for (auto &each : written) {
        results.push_back(
            each ? *std::move(each)
                 : fail(ErrorKind::kNotAttempted, "not attempted, since another write failed"));
    }
    return results;
}

// Writes of one stage go out with the reads; anything else goes one after the other.
Exchanged KubernetesStore::exchange(std::span<const Query> queries, std::span<const Write> writes,
                                    Deadline deadline)
{
    const auto spelling = group_.get(client_, deadline);
    Beside beside;
    for (const Write &write : writes) {
        auto call = spelling ? call_of(write, *spelling) : fail(spelling.error());
        if (call && write.stage == writes.front().stage)
            beside.calls.push_back(*std::move(call));
    }
    const std::size_t sent = beside.calls.size();
    if (queries.empty() || sent != writes.size())
        return Store::exchange(queries, writes, deadline);

    Exchanged got;
    got.found = read_all(client_, queries, *spelling, beside, deadline);
    // Where no query had anything to ask, the calls have not left.
    if (beside.answers.size() != sent)
        return {std::move(got.found), commit(writes, deadline)};
    got.written.reserve(sent);
    for (std::size_t i = 0; i < sent; ++i)
        got.written.push_back(revision_of(writes[i], std::move(beside.answers[i])));

    const auto is_not_served = [](const auto &each) {
        return !each && each.error().kind() == ErrorKind::kUnsupported;
    };
    const bool moved = std::any_of(got.found.begin(), got.found.end(), is_not_served) &&
                       std::all_of(got.written.begin(), got.written.end(), is_not_served);
    return moved && group_.forget() ? Store::exchange(queries, writes, deadline) : std::move(got);
}

}  // namespace

std::unique_ptr<Store> open_kubernetes(const KubernetesSettings &settings, GetEnv get_env,
                                       std::string group_cache_dir)
{
    return std::make_unique<KubernetesStore>(settings, std::move(get_env),
                                             std::move(group_cache_dir));
}

}  // namespace tortie::store
