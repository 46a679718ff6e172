# SPDX-License-Identifier: Apache-2.0
"""What stands between a plugin and its server: a line that takes time, and one that fails."""
import collections
import http.client
import io
import selectors
import socket
import ssl
import threading
import time


class _Listener:
    """Accepts on 127.0.0.1 and gives each connection a thread."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve_and_close, args=(connection,),
                             daemon=True).start()

    def _serve_and_close(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass  # a plugin that was killed, a server that was stopped
        finally:
            connection.close()

    def serve(self, connection):
        raise NotImplementedError

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class SlowLine(_Listener):
    """Passes bytes on, each way half of `round_trip_s` later. Connecting takes no round trip of
    its own here; the first bytes are what waits."""

    def __init__(self, server, round_trip_s):
        self._server = server
        self._delay = round_trip_s / 2
        super().__init__()

    def serve(self, connection):
        with socket.create_connection(self._server) as far:
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            time.sleep(2 * self._delay)  # what the handshake of TCP would have taken
            self._pass_on({connection: far, far: connection})

    def _pass_on(self, other):
        waiting = []  # (when, to, bytes); b"" ends the direction
        with selectors.DefaultSelector() as ready:
            for end in other:
                ready.register(end, selectors.EVENT_READ)
            while waiting or ready.get_map():
                timeout = waiting[0][0] - time.monotonic() if waiting else None
                if timeout is None or timeout > 0:
                    for key, _ in ready.select(timeout):
                        data = key.fileobj.recv(65536)
                        waiting.append((time.monotonic() + self._delay, other[key.fileobj], data))
                        if not data:
                            ready.unregister(key.fileobj)
                while waiting and waiting[0][0] <= time.monotonic():
                    _, to, data = waiting.pop(0)
                    to.sendall(data) if data else to.shutdown(socket.SHUT_WR)


class Silence(_Listener):
    """Takes connections and never says anything."""

    def serve(self, connection):
        while connection.recv(4096):
            pass


class Request:
    """What a plugin asked. `number` counts from 0 since the last reset()."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.number = None
        self.arrived = self.answered = time.monotonic()

    @property
    def writes(self):
        if "/v3/kv/" in self.path:
            return "/txn" in self.path or "/put" in self.path
        return self.method not in ("GET", "HEAD")

    def __str__(self):
        return f"{self.method} {self.path}"


# What can be done with a request: a function of (fault line, connection, request) that answers, or
# does not. False ends the connection.

def passed_on(line, connection, request):
    return line.answer(connection, *line.ask(request))


def status(code, text="", **headers):
    """Answers without asking the server."""
    def act(line, connection, request):
        body = (text or f'{{"kind":"Status","apiVersion":"v1","status":"Failure","message":'
                f'"injected","reason":"Injected","code":{code}}}').encode()
        return line.answer(connection, code, {"Content-Type": "application/json", **headers}, body)
    return act


def garbage(line, connection, request):
    line.ask(request)
    return line.answer(connection, 200, {"Content-Type": "application/json"}, b"\x00<html>}{")


def half_a_body(line, connection, request):
    code, headers, body = line.ask(request)
    connection.sendall(line.head(code, headers, len(body)) + body[:len(body) // 2])
    return False


def lost_reply(line, connection, request):
    """The server does it, and the line breaks."""
    line.ask(request)
    return False


def closed(line, connection, request):
    """The line breaks before the server hears of it."""
    return False


def silence(line, connection, request):
    """As long as anybody could wait."""
    time.sleep(120)
    return False


class _Conversation:
    """One connection; requests may come in a row, ahead of the answers."""

    def __init__(self, secure):
        self._secure = secure
        self._bytes = b""
        self._requests = collections.deque()

    def next(self):
        """The next request; None at the end."""
        while not self._requests:
            data = self._secure.recv(65536)
            if not data:
                return None
            self._take(data)
        return self._requests.popleft()

    def sendall(self, data):
        self._read_ahead()  # what has arrived by now did not wait for this answer
        self._secure.sendall(data)

    def _read_ahead(self):
        self._secure.setblocking(False)
        try:
            while data := self._secure.recv(65536):
                self._take(data)
        except ssl.SSLWantReadError:
            pass
        finally:
            self._secure.setblocking(True)

    def _take(self, data):
        self._bytes += data
        while (end := self._bytes.find(b"\r\n\r\n")) >= 0:
            stream = io.BytesIO(self._bytes)
            method, path, _ = stream.readline().decode().split()
            headers = http.client.parse_headers(stream)
            length = int(headers.get("Content-Length", 0))
            if len(self._bytes) < end + 4 + length:
                return
            body = stream.read(length)
            self._bytes = self._bytes[end + 4 + length:]
            self._requests.append(Request(method, path, headers, body))


class FaultLine(_Listener):
    """An HTTPS server with a certificate of the tests' authority that passes requests on to the
    real one, except where `rule(request)` gives something else to do. `seen` is what was asked."""

    def __init__(self, server, ca, certificate, client_certificate=None):
        self._server = server
        self._near = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._near.load_cert_chain(*map(str, certificate))
        self._far = ssl.create_default_context(cafile=str(ca))
        if client_certificate:
            self._far.load_cert_chain(*map(str, client_certificate))
        self._lock = threading.Lock()
        self.reset()
        super().__init__()

    def reset(self, rule=None):
        """From now on `rule` decides; requests are counted anew."""
        with self._lock:
            self.rule = rule or (lambda request: passed_on)
            self.seen = []

    def serve(self, connection):
        with self._near.wrap_socket(connection, server_side=True) as secure:
            conversation = _Conversation(secure)
            while request := conversation.next():
                with self._lock:
                    request.number = len(self.seen)
                    self.seen.append(request)
                    act = self.rule(request)
                goes_on = act(self, conversation, request)
                request.answered = time.monotonic()
                if not goes_on:
                    return

    def ask(self, request):
        """(status, headers, body) of the real server."""
        local = http.client.HTTPSConnection(*self._server, context=self._far, timeout=30)
        kept = {key: value for key, value in request.headers.items()
                if key.lower() in ("authorization", "content-type", "accept")}
        local.request(request.method, request.path, request.body or None, kept)
        answer = local.getresponse()
        found = answer.status, {"Content-Type": answer.getheader("Content-Type", "")}, answer.read()
        local.close()
        return found

    @staticmethod
    def head(code, headers, length):
        lines = [f"HTTP/1.1 {code} {http.client.responses.get(code, '')}",
                 *(f"{key}: {value}" for key, value in headers.items()),
                 f"Content-Length: {length}", "", ""]
        return "\r\n".join(lines).encode()

    def answer(self, connection, code, headers, body):
        connection.sendall(self.head(code, headers, len(body)) + body)
        return True
