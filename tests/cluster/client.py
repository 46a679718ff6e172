# SPDX-License-Identifier: Apache-2.0
"""How a test looks at, and changes, what the servers hold: as their administrator."""
import base64
import http.client
import json
import socket
import ssl
import threading


class _Https:
    """One connection a thread, made again when the server has closed it."""

    def __init__(self, host, port, ca, certificate=None, headers=None):
        self._at = (host, port)
        self._context = ssl.create_default_context(cafile=str(ca))
        if certificate:
            self._context.load_cert_chain(*map(str, certificate))
        self._headers = headers or {}
        self._local = threading.local()

    def exchange(self, method, path, body=None, headers=None):
        """(status, bytes)"""
        for attempt in range(2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPSConnection(*self._at, context=self._context,
                                                         timeout=30)
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._local.connection = connection
            try:
                connection.request(method, path, body, {**self._headers, **(headers or {})})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError):
                self._local.connection = None
                if attempt:
                    raise


class Kube:
    """The Kubernetes API."""

    def __init__(self, host, port, ca, certificate=None, token=None):
        self._https = _Https(host, port, ca, certificate,
                             {"Authorization": f"Bearer {token}"} if token else None)

    def request(self, method, path, body=None, kind="application/json"):
        """(status, parsed answer); (0, None) when there is no server yet."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            status, answer = self._https.exchange(method, path, body, {"Content-Type": kind})
        except OSError:
            return 0, None
        return status, json.loads(answer) if answer[:1] == b"{" else answer.decode()

    def _must(self, method, path, body=None, kind="application/json"):
        status, answer = self.request(method, path, body, kind)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def get(self, path):
        return self._must("GET", path)

    def find(self, path):
        """None when it is not there."""
        status, answer = self.request("GET", path)
        return answer if status == 200 else None

    def items(self, path):
        return self._must("GET", path)["items"]

    def create(self, path, body, kind="application/json"):
        return self._must("POST", path, body, kind)

    def replace(self, path, body):
        return self._must("PUT", path, body)

    def merge(self, path, body):
        return self._must("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path, **options):
        return self._must("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1",
                                           "gracePeriodSeconds": 0, **options})


def _coded(text):
    return base64.b64encode(text.encode()).decode()


class Etcd:
    """etcd v3 through its JSON gateway."""

    def __init__(self, host, port, ca, certificate):
        self._https = _Https(host, port, ca, certificate)

    def is_up(self):
        try:
            return self._https.exchange("GET", "/health")[0] == 200
        except OSError:
            return False

    def _call(self, path, **body):
        status, answer = self._https.exchange("POST", f"/v3/kv/{path}", json.dumps(body))
        if status != 200:
            raise AssertionError(f"etcd {path}: {status} {answer!r}")
        return json.loads(answer)

    def put(self, key, value):
        if not isinstance(value, str):
            value = json.dumps(value, separators=(",", ":"))
        self._call("put", key=_coded(key), value=_coded(value))

    def texts(self, prefix):
        """{key: value}"""
        found = self._call("range", key=_coded(prefix), range_end=_coded(prefix[:-1] + chr(
            ord(prefix[-1]) + 1)))
        return {base64.b64decode(pair["key"]).decode():
                base64.b64decode(pair.get("value", "")).decode()
                for pair in found.get("kvs", [])}

    def find(self, key):
        """(value, mod revision), or None."""
        found = self._call("range", key=_coded(key)).get("kvs")
        return found and (json.loads(base64.b64decode(found[0]["value"])),
                          int(found[0]["mod_revision"]))

    def swap(self, key, value, revision):
        """Compare-and-swap; revision 0 creates, value None deletes. True when it took place."""
        compare = {"key": _coded(key), "target": "MOD", "result": "EQUAL",
                   "mod_revision": str(revision)}
        then = ({"request_delete_range": {"key": _coded(key)}} if value is None else
                {"request_put": {"key": _coded(key),
                                 "value": _coded(json.dumps(value, separators=(",", ":")))}})
        return self._call("txn", compare=[compare], success=[then]).get("succeeded", False)

    def delete(self, prefix):
        self._call("deleterange", key=_coded(prefix),
                   range_end=_coded(prefix[:-1] + chr(ord(prefix[-1]) + 1)))
