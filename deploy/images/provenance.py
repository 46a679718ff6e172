# SPDX-License-Identifier: Apache-2.0
"""How an image came to be, as an in-toto statement with a SLSA v1 predicate; unsigned, for whoever
publishes the image to sign (`cosign attest`). Source: slsa.dev/spec/v1.0/provenance."""
import json
import time

_TIME = "%Y-%m-%dT%H:%M:%SZ"


def _material(package):
    found = {"uri": package.purl, "name": package.name}
    if package.sha256:
        found["digest"] = {"sha256": package.sha256}
    return found


def statement(image, materials, digest, revision, epoch):
    when = time.strftime(_TIME, time.gmtime(epoch))
    algorithm, _, value = digest.partition(":")
    return json.dumps({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": materials.name, "digest": {algorithm: value}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://github.com/tortie/tortie/scripts/image@v1",
                "externalParameters": {"variant": image.variant, "arch": image.arch,
                                       "SOURCE_DATE_EPOCH": epoch},
                "resolvedDependencies": [
                    {"uri": "git+https://github.com/tortie/tortie",
                     "digest": {"gitCommit": revision}},
                    *(_material(package) for package in materials.packages)]},
            "runDetails": {
                "builder": {"id": "https://github.com/tortie/tortie/scripts/image"},
                "metadata": {"startedOn": when, "finishedOn": when}}}}, indent=1) + "\n"
