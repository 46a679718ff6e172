// SPDX-License-Identifier: Apache-2.0
//
// Sysctls, MAC, MTU, promiscuous and all-multicast mode and queue length of an interface that
// another plugin of the chain has made. The order of work, which makes a kill at any point safe:
// everything is checked, what will change is read and written to the backup file, and only then
// the first value is changed. DEL looks at nothing but that file.
#pragma once

#include "cni/skel.h"

namespace tortie::tuning {

// On success the values are set and the backup holds what the first ADD of this attachment found.
// On failure values and backup are as they were before this call.
cni::Answer add(const cni::Request &request);

// Restores what the backup says and removes it. Always succeeds: a backup is also removed when the
// namespace is gone or the file is garbage, and kept only when a value could not be read or the
// kernel refused it, for the next DEL.
cni::Answer del(const cni::Request &request);

cni::Answer check(const cni::Request &request);

// Removes the backups of this network whose attachment is no longer valid. Backups that name no
// network are the Go plugin's and stay.
cni::Answer gc(const cni::Request &request);

}  // namespace tortie::tuning
