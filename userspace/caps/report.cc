// SPDX-License-Identifier: Apache-2.0
#include "caps/report.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <ctime>
#include <utility>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/strings.h"
#include "caps/probes.h"

namespace tortie::caps {
namespace {

constexpr std::chrono::seconds kUncertainHolds{60};
constexpr std::chrono::seconds kLockDeadline{10};

constexpr const char *kBootId = "/proc/sys/kernel/random/boot_id";

std::chrono::seconds since_boot()
{
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec);
}

Decision by_default(const Findings &findings)
{
    auto decision = decide(findings, {});
    return decision ? *std::move(decision) : Decision{};
}

bool holds(const Report &report, const Identity &now)
{
    if (report.identity.product != now.product || report.identity.boot_id != now.boot_id)
        return false;
    const auto age = since_boot() - report.taken;
    return by_default(report.findings).certain ||
           (age >= std::chrono::seconds(0) && age < kUncertainHolds);
}

Result<Report> read_one(const std::string &path, const Identity &now)
{
    TORTIE_TRY(const std::string text, read_file(path, kMaxReportBytes));
    TORTIE_TRY(Report report, parse_report(text));
    if (!holds(report, now))
        return fail(ErrorKind::kNotFound, path + " is of another boot or version, or too old");
    // What is mounted comes and goes; the kernel stays what it is.
    report.findings[Capability::kBpffsMounted] = look_for_bpffs();
    return report;
}

Report probe_as(Prober &prober, Identity identity)
{
    return {.identity = std::move(identity), .taken = since_boot(), .findings = prober.probe()};
}

// Others may look: nothing in it is a secret.
constexpr mode_t kReportMode = 0644;
constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kLockMode = 0600;

}  // namespace

Result<Identity> read_identity()
{
    constexpr std::size_t kMaxBytes = 256;
    TORTIE_TRY(const std::string boot_id, read_file(kBootId, kMaxBytes));
    utsname names{};
    ::uname(&names);
    return Identity{.product = TORTIE_VERSION,
                    .boot_id = std::string(trim(boot_id)),
                    .kernel_release = names.release};
}

Result<Report> read_report(const ReportPlaces &places, const Identity &now)
{
    if (auto installed = read_one(places.installed, now))
        return installed;
    return read_one(places.own(), now);
}

Result<Report> fresh_report(Prober &prober)
{
    TORTIE_TRY(Identity identity, read_identity());
    return probe_as(prober, std::move(identity));
}

Result<Report> node_report(Prober &prober, const ReportPlaces &places)
{
    TORTIE_TRY(Identity now, read_identity());
    if (auto known = read_report(places, now))
        return known;

    TORTIE_DO(make_directories(places.directory, kDirectoryMode));
    TORTIE_TRY(const FileLock lock,
               FileLock::acquire(places.own() + ".lock", kLockMode, kLockDeadline));
    // Whoever had the lock before has probed for us, too.
    auto known = read_report(places, now);
    if (known)
        return known;
    if (known.error().kind() != ErrorKind::kNotFound)
        log::warn("the report of capabilities is of no use",
                  {{"file", places.own()}, {"cause", known.error().what()}});
    Report report = probe_as(prober, std::move(now));
    const std::string text = to_json(report, by_default(report.findings));
    if (const auto kept = replace_file(places.own(), text, kReportMode); !kept)
        log::warn("cannot keep what was found out about the kernel",
                  {{"cause", kept.error().what()}});
    return report;
}

}  // namespace tortie::caps
