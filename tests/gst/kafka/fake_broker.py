# SPDX-License-Identifier: LGPL-2.1-or-later
"""One broker that speaks as much of Kafka's protocol as a producer needs, with
TLS and SASL, which librdkafka's mock cluster has not. It keeps the values of no
records: it acknowledges all.
"""

import base64
import hashlib
import hmac
import socket
import ssl
import struct
import threading

PRODUCE, METADATA, SASL_HANDSHAKE, API_VERSIONS = 0, 3, 17, 18
INIT_PRODUCER_ID, SASL_AUTHENTICATE = 22, 36
# The oldest versions with which librdkafka is an idempotent producer.
VERSIONS = {PRODUCE: (0, 3), 1: (0, 4), METADATA: (0, 2), SASL_HANDSHAKE: (0, 1),
            API_VERSIONS: (0, 0), INIT_PRODUCER_ID: (0, 0),
            SASL_AUTHENTICATE: (0, 0)}
UNSUPPORTED_MECHANISM, UNSUPPORTED_VERSION, WRONG_PASSWORD = 33, 35, 58
ITERATIONS = 4096


class Reader:
    """Of what a request holds."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "big", signed=True)

    def text(self):
        size = self.number(2)
        return None if size < 0 else self.take(size).decode()

    def data_of(self):
        return self.take(self.number(4))


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def data(value):
    return struct.pack(">i", len(value)) + value


class Scram:
    """The server's half of SCRAM (RFC 5802), for one password."""

    def __init__(self, name, password):
        self.hash = name
        self.salt, self.nonce = b"salt", "server"
        self.salted = hashlib.pbkdf2_hmac(name, password.encode(), self.salt,
                                          ITERATIONS)
        self.first = self.second = None

    def mac(self, key, message):
        return hmac.new(key, message.encode(), self.hash).digest()

    def answer(self, message):
        """Bytes to send, or None: the password is wrong."""
        if self.first is None:
            self.first = message.decode().split(",", 2)[2]
            nonce = self.first.split(",r=", 1)[1] + self.nonce
            salt = base64.b64encode(self.salt).decode()
            self.second = f"r={nonce},s={salt},i={ITERATIONS}"
            return self.second.encode()
        start, proof = message.decode().rsplit(",p=", 1)
        whole = f"{self.first},{self.second},{start}"
        key = self.mac(self.salted, "Client Key")
        stored = hashlib.new(self.hash, key).digest()
        mask = self.mac(stored, whole)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(key, mask)):
            return None
        server = self.mac(self.salted, "Server Key")
        return b"v=" + base64.b64encode(self.mac(server, whole))


class Connection:
    def __init__(self, broker, stream):
        self.broker, self.stream = broker, stream
        self.scram, self.is_known = None, broker.password is None

    def run(self):
        while True:
            size = int.from_bytes(self.stream.read(4), "big")
            if not 0 < size < 1 << 24:  # the end, or another protocol
                return
            request = Reader(self.stream.read(size))
            kind, version = request.number(2), request.number(2)
            correlation = request.number(4)
            request.text()  # the client's name
            self.broker.requests.append(kind)
            answer = struct.pack(">i", correlation) + self.answer(
                kind, version, request)
            self.stream.write(data(answer))
            self.stream.flush()

    def answer(self, kind, version, request):
        if kind == API_VERSIONS:
            code = UNSUPPORTED_VERSION if version > 0 else 0
            return struct.pack(">hi", code, len(VERSIONS)) + b"".join(
                struct.pack(">hhh", api, *range_)
                for api, range_ in VERSIONS.items())
        if kind == SASL_HANDSHAKE:
            return self.shake_hands(request)
        if kind == SASL_AUTHENTICATE:
            return self.authenticate(request)
        assert self.is_known, f"request {kind} without a password"
        if kind == METADATA:
            return self.describe(request)
        if kind == INIT_PRODUCER_ID:
            return struct.pack(">ihqh", 0, 0, 7, 0)
        assert kind == PRODUCE, kind
        return self.take_records(request)

    # ---- Who is it ----

    def shake_hands(self, request):
        mechanism = request.text()
        code = 0 if mechanism == self.broker.mechanism else \
            UNSUPPORTED_MECHANISM
        if mechanism.startswith("SCRAM"):
            self.scram = Scram(mechanism[6:].replace("-", "").lower(),
                               self.broker.password)
        return struct.pack(">hi", code, 1) + text(self.broker.mechanism)

    def authenticate(self, request):
        message = request.data_of()
        if self.scram:
            answer = self.scram.answer(message)
        else:
            is_right = message.split(b"\0")[2] == self.broker.password.encode()
            answer = b"" if is_right else None
        if answer is None:
            return struct.pack(">h", WRONG_PASSWORD) + \
                text("no such user or password") + data(b"")
        self.is_known = not self.scram or answer.startswith(b"v=")
        return struct.pack(">hh", 0, -1) + data(answer)

    # ---- Records ----

    def describe(self, request):
        n = request.number(4)
        names = [request.text() for _ in range(max(n, 0))]
        answer = struct.pack(">ii", 1, 1) + text(self.broker.host) + \
            struct.pack(">ih", self.broker.port, -1) + text("fake") + \
            struct.pack(">ii", 1, len(names))
        for name in names:
            answer += struct.pack(">h", 0) + text(name) + \
                struct.pack(">bi", 0, 1) + \
                struct.pack(">hiiiiii", 0, 0, 1, 1, 1, 1, 1)
        return answer

    def take_records(self, request):
        request.text()  # the transaction
        request.take(6)  # how many must have it, and how soon
        answer, n = b"", request.number(4)
        for _ in range(n):
            answer += text(request.text())
            n_partitions = request.number(4)
            answer += struct.pack(">i", n_partitions)
            for _ in range(n_partitions):
                partition = request.number(4)
                request.data_of()
                answer += struct.pack(">ihqq", partition, 0, 0, -1)
        return struct.pack(">i", n) + answer + struct.pack(">i", 0)


class FakeBroker:
    """mechanism, password: of SASL. certificate: (cert, key) for TLS; clients:
    the authority that must have signed theirs. host: as the certificate has
    it, else an address, since small systems know no localhost."""

    def __init__(self, mechanism=None, password=None, certificate=None,
                 clients=None):
        self.mechanism, self.password = mechanism, password
        self.host = "localhost" if certificate else "127.0.0.1"
        self.requests = []  # kinds, of all connections
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        if clients:
            self.context.load_verify_locations(clients)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        try:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            with client, client.makefile("rwb") as stream:
                Connection(self, stream).run()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
