// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tortie::calico {

// A label's key or value of Mesos, made fit for Calico: "/a/b/c" is "a.b.c", what may not stand in
// a label becomes dashes, none of them at the ends. Source: spec calico-cni.md 3.8.
std::string sanitised_mesos_label(std::string_view text);

}  // namespace tortie::calico
