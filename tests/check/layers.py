# SPDX-License-Identifier: Apache-2.0
"""Which way includes point: docs/architecture.md, userspace/layers.txt."""
import re

# A library stands behind one folder or file, so that replacing it is that folder's work.
OWNERS = {
    "sqlite3.h": ("userspace/store/local",),
    "yaml.h": ("userspace/kube/yaml.cc",),
    "nlohmann/": ("userspace/cni/", "userspace/caps/json_codec.cc", "userspace/kube/json",
                  "userspace/store/codec", "userspace/calico/json_codec.cc",
                  "userspace/calico/manifest_codec.cc"),
    "tl/": ("userspace/base/result.h", "userspace/cni/"),  # CniError is an error type, too
    "boost/": ("userspace/http/response_reader.cc",),
    "openssl/": ("userspace/http/tls",),
    "ares.h": ("userspace/http/resolver.cc",),
    "bpf/bpf.h": ("userspace/loader/",),
    "bpf/btf.h": ("userspace/loader/",),
    "bpf/libbpf.h": ("userspace/loader/",),
    "gtest/": ("tests/",),
    "gmock/": ("tests/",),
}
# What costs every plugin size or start-up time, or needs the node's own libraries.
NEVER = ("iostream", "regex", "netdb.h", "pwd.h", "grp.h", "dlfcn.h")


def _table(tree):
    table = {}
    for line in tree.text("userspace/layers.txt").splitlines():
        if line and not line.startswith("#"):
            layer, _, allowed = line.partition(":")
            table[layer.strip()] = set(allowed.split())
    return table


def _includes(tree, folder, quoted):
    pattern = r'^\s*#\s*include\s+"([^"]+)"' if quoted else r"^\s*#\s*include\s+<([^>]+)>"
    return tree.grep(tree.code(folder), pattern)


def layers_include_only_what_the_table_allows(tree):
    """each include in userspace/ goes to its own layer or to one that layers.txt lists for it"""
    table = _table(tree)
    for name in tree.code("userspace"):
        if name.split("/")[1] not in table:
            yield f"{name}: its layer is not in userspace/layers.txt"
    for layer, allowed in table.items():
        for lower in allowed - table.keys():
            yield f"userspace/layers.txt: {layer} may use {lower}, which is no layer"
    for name, number, found in _includes(tree, "userspace", quoted=True):
        own, target = name.split("/")[1], found.group(1).split("/")[0]
        if target != own and target not in table.get(own, ()):
            yield f"{name}:{number}: layer {own} may not include {found.group(1)}"


def layers_have_an_order(tree):
    """layers.txt has no circle"""
    table = _table(tree)
    while table:
        lowest = [layer for layer, allowed in table.items() if not allowed & table.keys()]
        if not lowest:
            yield f"userspace/layers.txt: a circle among {' '.join(sorted(table))}"
            return
        for layer in lowest:
            del table[layer]


def plugins_include_no_other_plugin(tree):
    """a plugin includes its own files and layers, never another plugin"""
    table = _table(tree)
    for name, number, found in _includes(tree, "plugins", quoted=True):
        own, target = name.split("/")[1], found.group(1).split("/")[0]
        if target != own and target not in table:
            yield f"{name}:{number}: plugin {own} may not include {found.group(1)}"


def libraries_are_included_by_their_owner_only(tree):
    """a third-party header is included only by the folder or file that owns the library"""
    for folder in ("userspace", "plugins", "install", "cmake"):
        for quoted in (False, True):
            for name, number, found in _includes(tree, folder, quoted):
                for prefix, owners in OWNERS.items():
                    if found.group(1).startswith(prefix) and not name.startswith(owners):
                        yield f"{name}:{number}: {found.group(1)} belongs to {' '.join(owners)}"


def costly_headers_are_not_included(tree):
    """no header that costs size or start-up, or reaches for the node's own libraries"""
    for folder in ("userspace", "plugins", "install"):
        for name, number, found in _includes(tree, folder, quoted=False):
            if found.group(1) in NEVER:
                yield f"{name}:{number}: <{found.group(1)}> is not used here"


def sources_are_listed(tree):
    """every .cc stands in the CMakeLists.txt of its folder (a plugin's main.cc is implied)"""
    for name in tree.select(("userspace", "plugins", "install", "tests"), (".cc",)):
        folder, _, file = name.rpartition("/")
        if folder.startswith("plugins/") and file == "main.cc":
            continue
        lists = f"{folder}/CMakeLists.txt"
        listed = tree.text(lists) if lists in tree.files else ""
        stem = re.escape(file.removesuffix(".cc"))
        if not re.search(rf"(?<![\w./]){stem}(?:\.cc)?(?![\w.])", listed):
            yield f"{name}: is not in {lists}"
