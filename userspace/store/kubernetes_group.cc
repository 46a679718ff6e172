// SPDX-License-Identifier: Apache-2.0
#include "store/kubernetes_group.h"

#include <algorithm>
#include <utility>

#include "base/base32.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "kube/json_objects.h"

namespace tortie::store {
namespace {

constexpr const char *kV1 = "crd.projectcalico.org";
constexpr const char *kV3 = "projectcalico.org";
constexpr std::size_t kMaxCacheBytes = 64;
constexpr std::size_t kNameDigits = 32;

}  // namespace

GroupChoice::GroupChoice(ApiGroup configured, std::string cache_dir)
    : configured_(configured != ApiGroup::kDiscover), cache_dir_(std::move(cache_dir))
{
    if (configured_)
        known_ = configured == ApiGroup::kCrdV3 ? Spelling::kCrdV3 : Spelling::kCrdV1;
}

void GroupChoice::read_cache(kube::Client &client)
{
    const auto cluster = client.cluster_id();
    if (!cluster)
        return;  // the exchange that follows says why
    cache_path_ = cache_dir_ + "/api-group-" + hex_encode(sha256(*cluster)).substr(0, kNameDigits);
    const auto text = read_file(cache_path_, kMaxCacheBytes);
    if (!text || cache_is_void_)
        return;
    from_cache_ = true;
    if (trim(*text) == kV1)
        known_ = Spelling::kCrdV1;
    else if (trim(*text) == kV3)
        known_ = Spelling::kCrdV3;
}

Result<Spelling> GroupChoice::discover(kube::Client &client, Deadline deadline) const
{
    auto answer = client.send({.path = "/apis"}, deadline);
    if (!answer && answer.error().kind() == ErrorKind::kSystem) {
        log::warn("the API groups cannot be read", {{"error", answer.error().what()}});
        return Spelling::kCrdV1;
    }
    if (!answer)
        return fail(std::move(answer).error());
    TORTIE_TRY(const auto groups, kube::parse_groups(*answer));
    const auto serves = [&](const char *group) {
        return std::find(groups.begin(), groups.end(), group) != groups.end();
    };
    const bool v3 = serves(kV3) && !serves(kV1);
    if (!v3 && !serves(kV1))
        return Spelling::kCrdV1;  // neither yet: not worth remembering
    const auto kept = make_directories(cache_dir_, 0755);
    if (kept && !cache_path_.empty()) {
        if (auto written = replace_file(cache_path_, v3 ? kV3 : kV1, 0644); !written)
            log::debug("the API group is not kept", {{"error", written.error().what()}});
    }
    return v3 ? Spelling::kCrdV3 : Spelling::kCrdV1;
}

Result<Spelling> GroupChoice::get(kube::Client &client, Deadline deadline)
{
    if (!known_)
        read_cache(client);
    if (known_)
        return *known_;
    TORTIE_TRY(known_, discover(client, deadline));
    return *known_;
}

bool GroupChoice::forget()
{
    if (configured_ || !from_cache_)
        return false;
    known_.reset();
    from_cache_ = false;
    cache_is_void_ = true;
    return true;
}

}  // namespace tortie::store
