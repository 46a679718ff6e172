// SPDX-License-Identifier: Apache-2.0
//
// The log of Calico's CNI programs: one line an event to stderr and, when configured, to a file
// that many processes write and that is rotated. Its form is Calico's, because people's collectors
// parse it:
//
//   2026-06-24 10:11:12.345 [INFO][4711] cni-plugin/add.cc 123: Wrote endpoint ContainerID="c1f0"
//
// Source: spec calico-cni.md 2.7, Q8; calico-v3.32.1.md 6. Rotated files are named as Calico names
// them and not compressed: that would take a library, and the processor time of a pod's start.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/log.h"

namespace tortie::calico {

struct LogSettings {
    std::string_view component = {};  // "cni-plugin", "ipam": constant text
    std::string level = {};           // debug, info, error; else info
    std::string file_path = {};       // empty: stderr only
    std::int64_t max_size_bytes = std::int64_t{100} << 20;
    std::int64_t max_age_days = 30;  // of rotated files
    std::int64_t max_count = 10;     // of rotated files
};

// From here on base/log writes in this form. Each of `always` stands on every line; those with an
// empty value are left out. A file that cannot be written costs one warning, nothing else.
void open_log(const LogSettings &settings, std::initializer_list<log::Field> always);

}  // namespace tortie::calico
