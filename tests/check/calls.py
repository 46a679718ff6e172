# SPDX-License-Identifier: Apache-2.0
"""Calls that must not be made, or only in one place. objects.py looks for the same names among
the symbols of the compiled files, where a macro cannot hide one."""
import re

# Name: (who may call it, why nobody else).
BANNED = {
    **dict.fromkeys(
        ("getaddrinfo", "gethostbyname", "getpwnam", "getpwuid", "getgrnam", "getservbyname",
         "getprotobyname", "dlopen"),
        ((), "a static program would load the node's own libraries and may crash in them")),
    **dict.fromkeys(("system", "popen", "execvp", "execlp"),
                    ((), "no shell and no search path: base/subprocess.h")),
    **dict.fromkeys(("strerror", "strtok", "rand"), ((), "not safe for threads, or not needed")),
    **dict.fromkeys(("exit", "quick_exit"), ((), "skips undo: return from main")),
    **dict.fromkeys(("sleep", "usleep"), ((), "poll with a deadline")),
    "nanosleep": (("userspace/cni/delegate.cc",), "poll with a deadline"),
    **dict.fromkeys(("strcpy", "strcat", "sprintf", "gets", "alloca", "mktemp", "tmpnam"),
                    ((), "no bound, or a race")),
    "setns": (("userspace/sys/netns.cc",), "NetnsScope knows the way back"),
    "fork": (("userspace/base/subprocess.cc", "userspace/sys/link_removal.cc",
              "userspace/caps/kernel_prober.cc", "userspace/loader/attach.cc"),
             "base/subprocess.h; the others end without exec"),
    "abort": (("userspace/sys/netns.cc",), "only where going on would harm the node"),
}
# What fills stdout: there is one JSON object on it, and one file writes that.
STDOUT = r"\bstd::cout\b|\bstd::printf\b|(?<![\w:])(?:printf|puts|putchar)\s*\(|\bSTDOUT_FILENO\b"
STDOUT_OWNERS = ("userspace/cni/skel.cc", "userspace/cni/run.cc", "install/cli.cc")
EXCEPTION_OWNERS = ("userspace/cni/", "userspace/http/response_reader.cc")


def _product(tree):
    return tree.code("userspace", "plugins", "install")


def banned_calls_are_not_made(tree):
    """no call of a banned function outside its owner"""
    names = "|".join(BANNED)
    for name, number, found in tree.grep(_product(tree),
                                         rf"(?<![\w.>])({names})\s*\(", of=tree.bare):
        owners, reason = BANNED[found.group(1)]
        if not name.startswith(owners or "\0"):
            yield f"{name}:{number}: {found.group(1)}(): {reason}"


def stdout_has_one_writer(tree):
    """nothing but the CNI frame writes to stdout"""
    for name, number, _ in tree.grep(_product(tree), STDOUT, of=tree.bare):
        if not name.startswith(STDOUT_OWNERS):
            yield f"{name}:{number}: stdout carries the CNI result alone"


def nothing_is_thrown(tree):
    """no throw anywhere, try only where a library throws"""
    for name, number, _ in tree.grep(_product(tree), r"\bthrow\b", of=tree.bare):
        yield f"{name}:{number}: failures are a Result"
    for name, number, _ in tree.grep(_product(tree), r"\btry\s*\{", of=tree.bare):
        if not name.startswith(EXCEPTION_OWNERS):
            yield f"{name}:{number}: try belongs to {' '.join(EXCEPTION_OWNERS)}"


def no_environment_is_read_in_passing(tree):
    """the environment is passed in: getenv only where a process begins"""
    for name, number, _ in tree.grep(_product(tree), r"\b(?:secure_)?getenv\s*\(", of=tree.bare):
        if not re.match(r"userspace/(cni|base)/[^/]+\.cc$", name):
            yield f"{name}:{number}: take it from cni::Request or base"
