# SPDX-License-Identifier: Apache-2.0
"""Process 1 of a node (node.py): init.py NODE_DIR.

Gives the node its own /run, /var/lib, /opt and /etc/cni, says "ready", and then only reaps. When
it ends the kernel ends everything that was started on the node."""
import os
import pathlib
import signal
import subprocess
import sys

# A tmpfs is what a boot empties; a folder of NODE_DIR outlives it.
_EMPTY = ("/run", "/opt", "/etc/cni")
_KEPT = (("", "/run/node"), ("var-lib", "/var/lib"), ("cni-bin", "/opt/cni/bin"),
         ("net.d", "/etc/cni/net.d"))


def main(folder):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who made the node
    # Held open: the folder's own path may lie below what is covered next.
    kept = [(os.open(folder / name, os.O_PATH | os.O_CLOEXEC), place) for name, place in _KEPT]
    for place in _EMPTY:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", place], check=True)
    for fd, place in kept:
        os.makedirs(place, exist_ok=True)
        subprocess.run(["mount", "--bind", f"/proc/self/fd/{fd}", place], check=True,
                       pass_fds=[fd])
        os.close(fd)
    for path in ("/run/netns", "/run/lock"):
        os.mkdir(path)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print("ready", flush=True)
    os.close(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
