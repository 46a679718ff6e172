# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of an image, as SPDX 2.3 and as CycloneDX 1.5: every executable, every
library that is linked into it, every package that files come from. The same input gives the same
bytes. Source: spdx.github.io/spdx-spec/v2.3, cyclonedx.org/docs/1.5."""
import hashlib
import json
import re
import time
import uuid
from dataclasses import dataclass, field

_OURS = "Apache-2.0"
_PUBLIC_DOMAIN = "LicenseRef-public-domain"
# The name space of the version 5 UUIDs of these documents.
_UUIDS = uuid.UUID("5b3f1c55-6c0e-4a44-9f0a-6b8a64e7b7f5")


@dataclass
class Materials:
    name: str  # of the image
    version: str
    arch: str
    epoch: int  # seconds: when, as far as the documents say
    executables: dict  # name: sha256
    linked: dict  # name: {Package: [archives]}
    headers: dict  # {Package: count}
    files_of: list = field(default_factory=list)  # packages whose files are in the image as they are

    @property
    def packages(self):
        """Each once, by name."""
        everything = {*self.headers, *self.files_of}
        everything.update(*self.linked.values())
        return sorted(everything, key=lambda package: (package.name, package.version))

    def role(self, package):
        archives = sorted({name for each in self.linked.values() for name in each.get(package, ())})
        roles = []
        if archives:
            roles.append("linked statically: " + ", ".join(archives))
        if package in self.headers:
            roles.append(f"compiled in: {self.headers[package]} headers")
        if package in self.files_of:
            roles.append("files in the image")
        return "; ".join(roles)


def _time(epoch):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def _text(document):
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _id(*words):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", "-".join(words))


def _cpe(package):
    """What vulnerability databases call the library."""
    upstream = re.sub(r"-[^-]*$", "", package.version.split(":")[-1])
    upstream = re.split(r"[+~]", upstream)[0].removesuffix(".dfsg")
    return f"cpe:2.3:a:*:{package.source}:{upstream}:*:*:*:*:*:*:*"


def _spdx_package(package, role):
    found = {
        "SPDXID": _id("Package", package.name, package.arch), "name": package.name,
        "versionInfo": package.version, "licenseDeclared": package.licence,
        "licenseConcluded": package.licence, "copyrightText": "NOASSERTION",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "supplier": "Organization: Debian", "comment": role,
        "sourceInfo": f"built from Debian's source package {package.source}",
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
             "referenceLocator": package.purl},
            {"referenceCategory": "SECURITY", "referenceType": "cpe23Type",
             "referenceLocator": _cpe(package)}]}
    if package.sha256:
        found["checksums"] = [{"algorithm": "SHA256", "checksumValue": package.sha256}]
    return found


def spdx(materials):
    image = _id("Image")
    packages = [{
        "SPDXID": image, "name": materials.name, "versionInfo": materials.version,
        "licenseDeclared": _OURS, "licenseConcluded": _OURS, "copyrightText": "NOASSERTION",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "supplier": "Organization: tortie", "primaryPackagePurpose": "CONTAINER"}]
    packages += [_spdx_package(package, materials.role(package)) for package in materials.packages]
    files = [{"SPDXID": _id("File", name), "fileName": f"./opt/cni/bin/{name}",
              "fileTypes": ["BINARY"], "licenseConcluded": _OURS, "copyrightText": "NOASSERTION",
              "checksums": [{"algorithm": "SHA256", "checksumValue": digest},
                            {"algorithm": "SHA1", "checksumValue": digest_sha1}]}
             for name, (digest, digest_sha1) in sorted(materials.executables.items())]

    def relation(one, kind, other):
        return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}

    def ref(package):
        return _id("Package", package.name, package.arch)

    relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", image)]
    relations += [relation(image, "CONTAINS", _id("File", name))
                  for name in sorted(materials.executables)]
    relations += [relation(_id("File", name), "STATIC_LINK", ref(package))
                  for name in sorted(materials.linked)
                  for package in sorted(materials.linked[name], key=lambda each: each.name)]
    relations += [relation(image, "DEPENDS_ON", ref(package)) for package in materials.packages
                  if package in materials.headers]
    relations += [relation(image, "CONTAINS", ref(package)) for package in materials.packages
                  if package in materials.files_of]
    document = {
        "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "dataLicense": "CC0-1.0",
        "name": f"{materials.name}-{materials.version}-{materials.arch}",
        "creationInfo": {"created": _time(materials.epoch), "creators": [
            "Tool: tortie-scripts/image", "Organization: tortie"]},
        "hasExtractedLicensingInfos": [{
            "licenseId": _PUBLIC_DOMAIN, "name": "public domain",
            "extractedText": "This database is in the public domain."}],
        "packages": packages, "files": files, "relationships": relations}
    digest = hashlib.sha256(_text(document).encode()).hexdigest()
    document["documentNamespace"] = f"https://spdx.org/spdxdocs/{document['name']}-{digest[:32]}"
    return _text(document)


def _licence(expression):
    if expression == _PUBLIC_DOMAIN:
        return [{"license": {"name": "public domain"}}]
    return [] if expression == "NOASSERTION" else [{"expression": expression}]


def cyclonedx(materials):
    image = f"image:{materials.name}@{materials.version}"
    components = [{
        "type": "application", "bom-ref": f"file:{name}", "name": name,
        "version": materials.version, "licenses": _licence(_OURS),
        "hashes": [{"alg": "SHA-256", "content": digest}, {"alg": "SHA-1", "content": sha1}]}
        for name, (digest, sha1) in sorted(materials.executables.items())]
    components += [{
        "type": "library", "bom-ref": package.purl, "name": package.name,
        "version": package.version, "purl": package.purl, "cpe": _cpe(package),
        "licenses": _licence(package.licence), "description": materials.role(package),
        **({"hashes": [{"alg": "SHA-256", "content": package.sha256}]} if package.sha256 else {})}
        for package in materials.packages]
    whole = sorted(f"file:{name}" for name in materials.executables) + [
        package.purl for package in materials.packages
        if package in materials.headers or package in materials.files_of]
    dependencies = [{"ref": image, "dependsOn": whole}] + [
        {"ref": f"file:{name}", "dependsOn": sorted(package.purl for package in packages)}
        for name, packages in sorted(materials.linked.items())]
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"timestamp": _time(materials.epoch),
                     "tools": {"components": [{"type": "application", "name": "scripts/image"}]},
                     "component": {"type": "container", "bom-ref": image, "name": materials.name,
                                   "version": materials.version, "licenses": _licence(_OURS)}},
        "components": components, "dependencies": dependencies}
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_UUIDS, _text(document))}"
    return _text(document)
