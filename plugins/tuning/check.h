// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "sys/link.h"
#include "tuning/settings.h"

namespace tortie::tuning {

// CHECK of the sysctls of the namespace the thread is in. Values are compared word by word: the
// kernel prints tabs where configurations have blanks. What can only be written is not compared.
// Errors: "Error: Tuning configured value of ...", or why a value cannot be read.
Result<> compare_sysctls(const Settings &wanted);

// CHECK of what was asked of the link; `mac_text` is the MAC as configured, for the message.
// Errors: "Error: Tuning ...".
Result<> compare_link(const Settings &wanted, const std::string &mac_text, const Link &link);

}  // namespace tortie::tuning
