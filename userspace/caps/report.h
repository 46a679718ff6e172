// SPDX-License-Identifier: Apache-2.0
//
// The findings of a node, kept so that a call does not ask the kernel again. They hold for one boot
// and one version of this product. What they lead to is decided anew by every reader, who has
// wishes of its own; the decision in the file is for people.
//
// Two files: the installer's beside the network configuration, and where there is none, or it is
// void, the plugins' own below /run.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "caps/capability.h"
#include "caps/decision.h"
#include "caps/prober.h"

namespace tortie::caps {

// Which boot of which kernel, and which of our versions.
struct Identity {
    std::string product;         // our version
    std::string boot_id;         // /proc/sys/kernel/random/boot_id
    std::string kernel_release;  // for people; nothing is decided by it
};

Result<Identity> read_identity();

struct Report {
    Identity identity;
    std::chrono::seconds taken{0};  // since boot
    Findings findings;
};

// JSON with one key a line. `decision` is what the findings led to.
std::string to_json(const Report &report, const Decision &decision);

constexpr std::size_t kMaxReportBytes = 64 << 10;

// Errors: kInvalidInput when it is not a whole report of a list of capabilities like ours.
Result<Report> parse_report(std::string_view json);

struct ReportPlaces {
    std::string installed = "/etc/cni/net.d/tortie.capabilities";
    std::string directory = "/run/tortie";  // made when missing; `capabilities` and its lock

    std::string own() const { return directory + "/capabilities"; }
};

// What is known about this boot: from the files while they hold, else from `prober`, and then it is
// written down. However many processes ask at once, one of them probes and the others wait for it.
// A report in which something that counted could not be told holds for a minute only. Whether a
// bpffs is mounted is looked at anew every time.
// A file that cannot be read or written is a line in the log and costs time, nothing else.
// Errors: kTryAgain when the lock was not to be had in time; kSystem when the boot has no id.
Result<Report> node_report(Prober &prober, const ReportPlaces &places = {});

// What the files say, the installer's first, without asking the kernel.
// Errors: kNotFound when there is none that holds; else what is wrong with the plugins' own.
Result<Report> read_report(const ReportPlaces &places, const Identity &now);

// Probes now, whatever the files say, and writes nothing.
Result<Report> fresh_report(Prober &prober);

}  // namespace tortie::caps
