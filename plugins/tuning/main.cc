// SPDX-License-Identifier: Apache-2.0
#include "cni/skel.h"
#include "tuning/tuning.h"

int main()
{
    return tortie::cni::run({.name = "tuning",
                             .add = tortie::tuning::add,
                             .del = tortie::tuning::del,
                             .check = tortie::tuning::check,
                             .gc = tortie::tuning::gc,
                             .status = nullptr});
}
