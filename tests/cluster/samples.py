# SPDX-License-Identifier: Apache-2.0
"""Documents as Calico writes them (samples/*.json, after spec calico-ipam-datastore.md 4 and
calico-cni.md 3.6), compared as a whole: key order is free, nothing may be more or less. A word in
angle brackets stands for what differs from run to run."""
import json
import pathlib
import re

_FOLDER = pathlib.Path(__file__).with_name("samples")
_PATTERNS = {
    "<seconds>": r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "<go time>": r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,8}[1-9])? \+0000 UTC",
    "<uid>": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "<interface>": r"cali[0-9a-f]{11}",
    "<mac>": r"([0-9a-f]{2}:){5}[0-9a-f]{2}",
    # Nanoseconds of now; `after` is one more.
    "<before>": r"1[7-9]\d{17}", "<after>": r"1[7-9]\d{17}",
}
# What the API server adds to every object.
_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
            "selfLink")


def load(name):
    return json.loads((_FOLDER / f"{name}.json").read_text())


def without_servers(document):
    """A Kubernetes object as its client sent it."""
    kept = {key: value for key, value in document["metadata"].items() if key not in _SERVERS}
    return {**document, "metadata": kept}


def differences(sample, found, where=""):
    """Every place where a document is not its sample, in words."""
    if isinstance(sample, dict) and isinstance(found, dict):
        for key in {**sample, **found}:
            at = f"{where}.{key}" if where else key
            if key not in found:
                yield f"{at} is missing"
            elif key not in sample:
                yield f"{at} is too much: {found[key]!r}"
            else:
                yield from differences(sample[key], found[key], at)
    elif isinstance(sample, list) and isinstance(found, list) and len(sample) == len(found):
        for index, pair in enumerate(zip(sample, found)):
            yield from differences(*pair, f"{where}[{index}]")
    elif isinstance(sample, str) and sample in _PATTERNS:
        if not re.fullmatch(_PATTERNS[sample], str(found)):
            yield f"{where} is {found!r}, not {sample}"
    elif sample != found or isinstance(sample, bool) != isinstance(found, bool):
        yield f"{where} is {found!r}, not {sample!r}"
