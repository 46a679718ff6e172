# SPDX-License-Identifier: Apache-2.0
"""The one image of the tests and of the demo, made from nothing: no registry, no daemon, no image
tool. It holds pod.c's program (which is also the pause process) and a static busybox."""
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

IMAGE = "localhost/tortie-pod:1"
_POD_SOURCE = pathlib.Path(__file__).with_name("pod.c")
SOURCES = (_POD_SOURCE, pathlib.Path(__file__), pathlib.Path("/bin/busybox"))
_APPLETS = ("sh", "ip", "cat", "ls", "sleep", "wget", "hostname", "sysctl")


def _add(archive, name, content=b"", mode=0o644, **fields):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    for key, value in fields.items():
        setattr(entry, key, value)
    archive.addfile(entry, io.BytesIO(content))


def _layer(pod):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for folder in ("bin", "etc", "tmp", "proc", "sys", "dev", "run"):
            _add(archive, folder, mode=0o755, type=tarfile.DIRTYPE)
        _add(archive, "pod", pod, 0o755)
        _add(archive, "bin/busybox", pathlib.Path("/bin/busybox").read_bytes(), 0o755)
        for applet in _APPLETS:
            _add(archive, f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox")
    return layer.getvalue()


def build(path):
    """Writes the image as an OCI archive that podman loads and containerd imports, and the pod's
    program as `pod` beside it."""
    program = path.with_name("pod")
    subprocess.run(["gcc-12", "-std=gnu11", "-Wall", "-Wextra", "-Os", "-static", "-s", "-o",
                    program, _POD_SOURCE], check=True)
    blobs = {}

    def blob(content, media_type):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": f"application/vnd.oci.image.{media_type}",
                "digest": f"sha256:{digest}", "size": len(content)}

    layer = blob(_layer(program.read_bytes()), "layer.v1.tar")
    config = blob({"architecture": "amd64", "os": "linux",
                   "config": {"Env": ["PATH=/bin"], "Entrypoint": ["/pod"]},
                   "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}},
                  "config.v1+json")
    manifest = blob({"schemaVersion": 2, "config": config, "layers": [layer],
                     "mediaType": "application/vnd.oci.image.manifest.v1+json"},
                    "manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": IMAGE,
                               "io.containerd.image.name": IMAGE}
    with tarfile.open(path, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(archive, "index.json",
             json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
        for digest, content in blobs.items():
            _add(archive, f"blobs/sha256/{digest}", content)
    return path
