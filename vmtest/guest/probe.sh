#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The prober's report. It has time limits of its own, made for a node: where an answer took too long
# it is asked again, now that the kernel has loaded what it needs for it.
for _ in 1 2 3; do
    report=$("$TORTIE_BIN_DIR/tortie-probe" --json)
    echo "$report" | grep -q 'ended by signal\|no end after' || break
done
echo "$report"
