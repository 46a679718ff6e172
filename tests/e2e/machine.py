# SPDX-License-Identifier: Apache-2.0
"""The machine's own network, to see that it is afterwards as it was."""
import difflib
import re
import shutil
import subprocess

_COMMANDS = (("ip", "-d", "address"), ("ip", "route", "show", "table", "all"),
            ("ip", "-6", "route", "show", "table", "all"), ("ip", "rule"), ("iptables-save",),
            ("ip6tables-save",), ("nft", "--stateless", "list", "ruleset"))


def network():
    """The machine's addresses, routes and rules as text, without what changes by itself."""
    lines = []
    for command in _COMMANDS:
        if shutil.which(command[0]):
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            lines += [re.sub(r"^#.*|\[\d+:\d+\]|(valid|preferred)_lft \w+|expires \w+", "", line)
                      for line in said.splitlines()]
    return [line.rstrip() for line in lines if line.strip()]


def difference(before, after):
    return "\n".join(difflib.unified_diff(before, after, "before", "after", lineterm="", n=0))
