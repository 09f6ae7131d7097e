# SPDX-License-Identifier: LGPL-2.1-or-later
"""A broker of MQTT 5 that takes every message and lets nobody subscribe: what
mosquitto's lists of permissions cannot do.
"""

import socket
import threading

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ = 1, 3, 8, 12
NOT_AUTHORIZED = 0x87


def read_exactly(stream, size):
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def read_packet(stream):
    """Its kind, flags and content."""
    first = read_exactly(stream, 1)[0]
    size, shift = 0, 0
    while True:
        digit = read_exactly(stream, 1)[0]
        size |= (digit & 0x7f) << shift
        shift += 7
        if digit < 0x80:
            return first >> 4, first & 15, read_exactly(stream, size)


class RefusingBroker:
    """Runs while the context does; one client after the other."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.topics = []  # of what was published
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                try:
                    while True:
                        self.answer(client, *read_packet(stream))
                except (EOFError, OSError):
                    pass

    def answer(self, client, kind, flags, content):
        if kind == CONNECT:
            client.sendall(bytes([0x20, 3, 0, 0, 0]))
        elif kind == SUBSCRIBE:
            client.sendall(bytes([0x90, 4, *content[:2], 0, NOT_AUTHORIZED]))
        elif kind == PINGREQ:
            client.sendall(bytes([0xd0, 0]))
        elif kind == PUBLISH:
            size = int.from_bytes(content[:2], "big")
            self.topics.append(content[2:2 + size].decode())
            if flags & 6:
                client.sendall(bytes([0x40, 2, *content[2 + size:4 + size]]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
