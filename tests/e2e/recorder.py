#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands before a plugin: passes every call on and writes down what was said (record()).

In the plugin folder NAME is a copy of this file and NAME.real the plugin. One line a call in
.calls.jsonl beside them; times are those of the plugin alone."""
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import time

_LOG = ".calls.jsonl"


def record(node, names):
    """From now on the calls of these plugins of the node are recorded."""
    folder = node.folder / "cni-bin"
    for name in names:
        (folder / name).rename(folder / f"{name}.real")
        for link in folder.iterdir():  # a second name of the plugin stays one
            if link.is_symlink() and os.readlink(link) == name:
                link.unlink()
                link.symlink_to(f"{name}.real")
        (folder / name).write_bytes(pathlib.Path(__file__).read_bytes())
        (folder / name).chmod(0o755)


def calls(node, **wanted):
    """What was recorded: dictionaries with plugin, cmd, id, netns, ifname, args, stdin, stdout,
    status, ms; only those that have the wanted values."""
    try:
        lines = (node.folder / "cni-bin" / _LOG).read_text().splitlines()
    except FileNotFoundError:
        lines = []
    everything = map(json.loads, lines)
    return [call for call in everything
            if all(call[key] == value for key, value in wanted.items())]


def _parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def main():
    said = sys.stdin.read()
    own = pathlib.Path(sys.argv[0])
    started = time.monotonic()
    # Under its own name: that is what some programs go by.
    plugin = subprocess.run([own], executable=own.with_name(own.name + ".real"), input=said,
                            text=True, stdout=subprocess.PIPE)
    elapsed = time.monotonic() - started
    with open(own.with_name(_LOG), "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"plugin": own.name, "cmd": os.environ.get("CNI_COMMAND", ""),
                   "id": os.environ.get("CNI_CONTAINERID", ""),
                   "netns": os.environ.get("CNI_NETNS", ""),
                   "ifname": os.environ.get("CNI_IFNAME", ""),
                   "args": os.environ.get("CNI_ARGS", ""), "stdin": _parsed(said),
                   "stdout": _parsed(plugin.stdout), "status": plugin.returncode,
                   "ms": round(elapsed * 1000, 1)}, file)
        file.write("\n")
    sys.stdout.write(plugin.stdout)
    sys.stdout.flush()
    sys.exit(plugin.returncode)


if __name__ == "__main__":
    main()
