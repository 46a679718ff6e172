// SPDX-License-Identifier: Apache-2.0
#include "install/keep_fresh.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include "base/deadline.h"
#include "base/log.h"
#include "base/pause.h"
#include "base/unique_fd.h"
#include "install/cni_token.h"
#include "install/etcd_assets.h"
#include "install/folder.h"
#include "install/installer.h"
#include "install/kubeconfig_text.h"
#include "install/record.h"
#include "install/service_account.h"
#include "install/staged_file.h"

namespace tortie::installer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLockPatience{60'000};
constexpr milliseconds kCoalesce{50};       // kubelet swaps a mount in several steps
constexpr milliseconds kLookAgain{60'000};  // also when no event came
constexpr seconds kShortestLife{20};        // below it the token is renewed every 5 s
constexpr seconds kUnknownLife{86'400};

// calico-node renews at the same times (spec calico-cni.md 5.5): a quarter of the life, and by
// chance up to as much again, so that the nodes of a cluster do not come together.
milliseconds with_jitter(milliseconds time)
{
    static std::minstd_rand random{std::random_device{}()};
    std::uniform_int_distribution<milliseconds::rep> more(0, time.count());
    return time + milliseconds(more(random));
}

milliseconds until_renewal(const Settings &settings, seconds life)
{
    if (settings.token_refresh_interval)
        return with_jitter(*settings.token_refresh_interval);
    const seconds known = life.count() == 0 ? kUnknownLife : life;
    return with_jitter(known < kShortestLife ? milliseconds(5'000) : milliseconds(known) / 4);
}

// Watches directories, not files in them: what is in a mounted secret is swapped as a whole.
class Watch {
public:
    Watch() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

    // Again and again: a watch ends with its directory, and adding one twice is nothing.
    int follow(const std::string &folder) const
    {
        return ::inotify_add_watch(
            fd_.get(), folder.c_str(),
            IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
    }

    // True when something happened before `limit`.
    bool wait(milliseconds limit) const
    {
        pollfd poll_fd{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        const timespec time{.tv_sec = limit.count() / 1000,
                            .tv_nsec = limit.count() % 1000 * 1'000'000};
        if (::ppoll(&poll_fd, 1, &time, nullptr) <= 0)
            return false;
        pause_for(kCoalesce);
        std::array<char, 4096> events{};
        while (::read(fd_.get(), events.data(), events.size()) > 0) {
        }
        return true;
    }

private:
    UniqueFd fd_;
};

class Keeper {
public:
    Keeper(const Settings &settings, Freshness freshness, const kube::GetEnv &get_env)
        : settings_(settings),
          freshness_(freshness),
          get_env_(get_env),
          renewal_(Deadline::in(until_renewal(settings, freshness.token_life))),
          last_token_(mounted_token())
    {
    }

    void look();
    milliseconds patience() const
    {
        return freshness_.in_pod ? std::min(renewal_.left(), kLookAgain) : kLookAgain;
    }

private:
    std::string mounted_token() const;
    Result<> renew_etcd_assets() const;
    Result<> renew_token();

    const Settings &settings_;
    Freshness freshness_;
    const kube::GetEnv &get_env_;
    Deadline renewal_;
    std::string last_token_;
};

// Only compared: a new one means that keys or accounts may have changed. A secret.
std::string Keeper::mounted_token() const
{
    return read_mounted(std::string(kServiceAccountDir) + "/token", 64UL * 1024).value_or("");
}

Result<> Keeper::renew_etcd_assets() const
{
    TORTIE_TRY(const EtcdAssets assets, read_etcd_assets(settings_.tls_assets_dir));
    if (assets.empty())
        return {};
    TORTIE_TRY(const Folder folder, Folder::open(kNetFolder));
    TORTIE_DO(folder.lock(kLockPatience));
    Record record = Record::load(folder);
    TORTIE_DO(write_etcd_assets(folder, assets, record));
    record.settle();
    return record.save(folder);
}

Result<> Keeper::renew_token()
{
    TORTIE_TRY(const auto account, mounted_service_account(settings_));
    if (!account)
        return fail(ErrorKind::kNotFound, "the pod's service account is no longer mounted");
    TORTIE_TRY(const CniToken token, request_cni_token(settings_, *account, get_env_));
    freshness_.token_life = token.life;
    const std::string text = kubeconfig_text(settings_, account->ca_pem, token.text);
    TORTIE_TRY(const Folder folder, Folder::open(kNetFolder));
    TORTIE_DO(folder.lock(kLockPatience));
    return replace_file_in(folder, kKubeconfigName, text, 0600);
}

void Keeper::look()
{
    if (auto renewed = renew_etcd_assets(); !renewed)
        log::warn("Failed to renew TLS assets", {{"error", renewed.error().what()}});
    if (!freshness_.in_pod)
        return;
    std::string token = mounted_token();
    if (!renewal_.passed() && token == last_token_)
        return;
    if (auto renewed = renew_token(); !renewed) {
        log::warn("Failed to renew the CNI token", {{"error", renewed.error().what()}});
        renewal_ = Deadline::in(with_jitter(milliseconds(5'000)));
        return;
    }
    last_token_ = std::move(token);
    renewal_ = Deadline::in(until_renewal(settings_, freshness_.token_life));
    log::info("Renewed the token in " + std::string(kNetFolder) + '/' + kKubeconfigName);
}

}  // namespace

void keep_fresh(const Settings &settings, Freshness freshness, const kube::GetEnv &get_env)
{
    const Watch watch;
    Keeper keeper(settings, freshness, get_env);
    for (;;) {
        watch.follow(settings.tls_assets_dir);
        watch.follow(kServiceAccountDir);
        watch.wait(keeper.patience());
        keeper.look();
    }
}

}  // namespace tortie::installer
