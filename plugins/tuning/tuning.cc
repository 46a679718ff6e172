// SPDX-License-Identifier: Apache-2.0
#include "tuning/tuning.h"

#include <cerrno>
#include <optional>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/strings.h"
#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "sys/netns.h"
#include "sys/sysctl.h"
#include "tuning/allowlist.h"
#include "tuning/backup.h"
#include "tuning/check.h"
#include "tuning/config.h"
#include "tuning/tuner.h"

namespace tortie::tuning {
namespace {

using Done = tl::expected<void, cni::CniError>;

constexpr const char *kAllowlist = "/etc/cni/tuning/allowlist.conf";

Result<> check_allowed(const Config &config)
{
    if (config.sysctls.empty())
        return {};
    TORTIE_TRY(const Allowlist allowed, Allowlist::load(kAllowlist));
    for (const auto &[key, value] : config.sysctls)
        TORTIE_DO(allowed.check(key));
    return {};
}

Result<Config> load_config(const cni::Request &request)
{
    if (cni::has_repeated_keys(request.stdin_text, "sysctl"))
        return fail(ErrorKind::kInvalidInput, "duplicated sysctl keys are not allowed");
    TORTIE_DO(request.config.string_map("sysctl"));  // here without a prefix, as in the Go plugin
    return parse_config(request.config, request.args);
}

Result<cni::CniResult> required_previous_result(const cni::Request &request)
{
    TORTIE_TRY(auto previous, cni::previous_result(request.config, request.cni_version));
    if (!previous)
        return fail(ErrorKind::kInvalidInput, "Required prevResult missing");
    return *std::move(previous);
}

// Printed before anything is changed: with a new MAC it is a new result, and one that the version
// has no shape for is an error.
Result<std::string> answer_with_mac(cni::CniResult result, const cni::Request &request,
                                    const std::string &mac)
{
    if (mac.empty())
        return cni::print_previous(result, request.cni_version);
    for (cni::Interface &interface : result.interfaces) {
        if (interface.name == request.ifname)
            interface.mac = mac;
    }
    return cni::print_result(result, request.cni_version);
}

// The backup of an earlier ADD of the same attachment: one that was killed, or a repeated one.
// Errors: it cannot be read now, and to overwrite it would lose what was there first.
Result<std::optional<Backup>> earlier_backup(const BackupFile &file)
{
    auto backup = file.read();
    if (backup)
        return *std::move(backup);
    if (backup.error().kind() == ErrorKind::kInvalidInput)
        log::warn("overwrites a backup that makes no sense", {{"error", backup.error().what()}});
    else if (backup.error().kind() != ErrorKind::kNotFound)
        return fail(std::move(backup).error());
    return std::nullopt;
}

void put_back(const BackupFile &file, const std::optional<Backup> &earlier)
{
    const auto done = earlier ? file.write(*earlier) : file.remove();
    if (!done)
        log::warn("cannot put the backup back", {{"error", done.error().what()}});
}

Done change(const cni::Request &request, const Config &config, const Settings &wanted)
{
    TORTIE_TRY(const BackupFile file,
               BackupFile::of(config.data_dir, request.container_id, request.ifname));
    TORTIE_TRY(const NetnsScope inside, NetnsScope::enter(request.netns));
    TORTIE_TRY(Tuner tuner, wanted.touches_link() ? Tuner::with_link(request.ifname)
                                                  : Result<Tuner>(Tuner::without_link()));
    TORTIE_TRY(const Settings before, tuner.read(wanted));

    TORTIE_TRY(const std::optional<Backup> earlier, earlier_backup(file));
    ScopeExit undo([&] {
        if (tuner.undo())
            put_back(file, earlier);
    });
    const Settings keep = earlier ? merge(earlier->before, before) : before;
    if (!keep.empty())
        TORTIE_DO(file.write({.before = keep, .network = request.network}));
    TORTIE_DO(tuner.apply(wanted, before));
    undo.dismiss();
    return {};
}

// What there is to restore. Garbage is nothing. Errors: it cannot be read now.
Result<Settings> settings_to_restore(const BackupFile &file)
{
    auto backup = file.read();
    if (backup)
        return std::move(backup->before);
    if (backup.error().kind() == ErrorKind::kInvalidInput)
        log::warn("removes a backup that makes no sense", {{"error", backup.error().what()}});
    else if (backup.error().kind() != ErrorKind::kNotFound)
        return fail(std::move(backup).error());
    return Settings();
}

Result<Tuner> tuner_for(const Settings &before, const std::string &ifname)
{
    if (!before.touches_link())
        return Tuner::without_link();
    auto tuner = Tuner::with_link(ifname);
    if (tuner || tuner.error().kind() != ErrorKind::kNotFound)
        return tuner;
    log::warn("restores no link attributes", {{"error", tuner.error().what()}});
    return Tuner::without_link();
}

// True when nothing is left to do: all restored, or the namespace gone with everything in it.
bool restore(const Settings &before, const cni::Request &request)
{
    if (request.netns.empty())
        return true;
    const auto inside = NetnsScope::enter(request.netns);
    if (!inside) {
        log::warn("restores nothing", {{"error", inside.error().what()}});
        return inside.error().kind() == ErrorKind::kNotFound ||
               inside.error().kind() == ErrorKind::kInvalidInput;
    }
    auto tuner = tuner_for(before, request.ifname);
    if (!tuner)
        log::warn("cannot restore", {{"error", tuner.error().what()}});
    return tuner && tuner->restore(before);
}

}  // namespace

cni::Answer add(const cni::Request &request)
{
    TORTIE_TRY(const Config config, load_config(request));
    TORTIE_DO(check_allowed(config));
    TORTIE_TRY(auto previous, required_previous_result(request));
    TORTIE_TRY(const Settings wanted, wanted_settings(config, request.ifname));
    TORTIE_TRY(std::string answer, answer_with_mac(std::move(previous), request, config.mac));
    TORTIE_DO(change(request, config, wanted));
    return answer;
}

cni::Answer del(const cni::Request &request)
{
    const auto file =
        BackupFile::of(data_dir_of(request.config), request.container_id, request.ifname);
    if (!file)
        return std::string();  // no ADD of it can have succeeded
    const auto before = settings_to_restore(*file);
    if (!before)
        log::warn("restores nothing", {{"error", before.error().what()}});
    if (!before || (!before->empty() && !restore(*before, request)))
        return std::string();
    if (const auto removed = file->remove(); !removed)
        log::warn("cannot remove the backup", {{"error", removed.error().what()}});
    return std::string();
}

cni::Answer check(const cni::Request &request)
{
    TORTIE_TRY(const Config config, load_config(request));
    TORTIE_TRY(const auto previous, required_previous_result(request));
    TORTIE_TRY(const Settings wanted, wanted_settings(config, request.ifname));
    TORTIE_TRY(const NetnsScope inside, NetnsScope::enter(request.netns));
    TORTIE_DO(compare_sysctls(wanted));
    const auto tuner = Tuner::with_link(request.ifname);
    if (!tuner)
        return tl::make_unexpected(cni::CniError(cni::Code::kUnspecified,
                                                 "Cannot find container link " + request.ifname,
                                                 tuner.error().what()));
    TORTIE_DO(compare_link(wanted, config.mac, tuner->link()));
    return std::string();
}

cni::Answer gc(const cni::Request &request)
{
    TORTIE_TRY(const auto attachments, cni::valid_attachments(request.config));
    if (!attachments)
        return std::string();
    std::vector<std::string> valid;
    for (const cni::ValidAttachment &attachment : *attachments)
        valid.push_back(backup_name(attachment.container_id, attachment.ifname));
    TORTIE_DO(collect_backups(data_dir_of(request.config), request.network, valid));
    return std::string();
}

}  // namespace tortie::tuning
