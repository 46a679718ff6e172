# SPDX-License-Identifier: Apache-2.0
"""An image in OCI layout, read without the tools that made it."""
import io
import json
import pathlib
import tarfile
import zlib


class OciImage:
    def __init__(self, layout, tag):
        self.layout = pathlib.Path(layout)
        index = json.loads((self.layout / "index.json").read_text())
        self.digest, = [each["digest"] for each in index["manifests"] if each["annotations"][
            "org.opencontainers.image.ref.name"] == tag]
        self.manifest = self._json(self.digest)
        self.about = self._json(self.manifest["config"]["digest"])
        self.config = self.about["config"]

    def _blob(self, digest):
        return (self.layout / "blobs" / digest.replace(":", "/")).read_bytes()

    def _json(self, digest):
        return json.loads(self._blob(digest))

    def archives(self):
        """The layers, lowest first."""
        for layer in self.manifest["layers"]:
            content = zlib.decompress(self._blob(layer["digest"]), wbits=47)
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                yield archive

    def entries(self):
        """{path: TarInfo} of everything."""
        return {"/" + entry.name.strip("/"): entry
                for archive in self.archives() for entry in archive}

    def unpack(self, folder):
        for archive in self.archives():
            archive.extractall(folder, numeric_owner=True)
