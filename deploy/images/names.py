# SPDX-License-Identifier: Apache-2.0
"""Under which names an image is published, so that whoever names Calico's image, or the hardened
one, finds it. Source: spec deploy.md 1.1, 1.3, 2.1."""
import posixpath

# The release whose programs these replace; the operator has its tag compiled in.
CALICO = "3.32.1"
# By `imagePrefix`: "calico-", "dhi-calico-" (mirrored repositories), "dhi-" (as the guide has it),
# none.
REPOSITORIES = ("calico-cni", "dhi-calico-cni", "dhi-cni", "cni")
VARIANTS = ("runtime", "dev", "fips")
_MAJOR, _MINOR = CALICO.split(".")[0], ".".join(CALICO.split(".")[:2])
_DEBIAN = "debian13"  # what the files around the executables are from


def reference(registry="quay.io/", path="calico/", prefix="", tag=f"v{CALICO}"):
    """What the operator asks for, from `registry`, `imagePath` and `imagePrefix` of an Installation;
    empty and "UseDefault" mean the default."""
    registry = registry if registry not in ("", "UseDefault") else "quay.io/"
    path = path if path not in ("", "UseDefault") else "calico/"
    prefix = "" if prefix == "UseDefault" else prefix
    return posixpath.normpath("/".join((registry, path, f"{prefix}cni"))) + f":{tag}"


def tags(variant):
    """Every tag of a variant."""
    versions = (_MAJOR, _MINOR, CALICO)
    if variant == "runtime":
        return sorted([f"v{CALICO}", *versions, *(
            f"{version}-{end}" for version in versions for end in ("debian", _DEBIAN))])
    found = [f"{version}{middle}-{variant}" for version in versions
             for middle in ("", "-debian", f"-{_DEBIAN}")]
    # Operators up to v1.42 ask for this one when the Installation says fipsMode: Enabled.
    return sorted(found + ([f"v{CALICO}-fips"] if variant == "fips" else []))


def references(registry, variant):
    """Every name of a variant below REGISTRY[/PATH]."""
    return [f"{registry.rstrip('/')}/{repository}:{tag}" for repository in REPOSITORIES
            for tag in tags(variant)]
