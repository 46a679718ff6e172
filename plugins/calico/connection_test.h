// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tortie::calico_cni {

// `calico -t`: whether the datastore of the configuration on stdin answers within two seconds and
// is ready. Exit status: 0 without output, or 1 with a CNI error object of code 100 on stdout.
// Source: spec calico-cni.md 2.5.
int run_connection_test();

}  // namespace tortie::calico_cni
