# SPDX-License-Identifier: LGPL-2.1-or-later
"""Feeding numbered records to a sink that may be killed, a TCP proxy that breaks
connections, and whether what arrived is what was accepted.
"""

import json
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "support"))
from tap import skip  # noqa: E402  pylint: disable=wrong-import-position

DEADLINE = 120  # seconds, for what comes in less than one
WINDOW = 20  # records that may come twice when a connection is lost


def find_program(name):
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:"
                                    "/usr/local/bin:/sbin:/bin")
    return found or skip(f"there is no {name}")


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def need_localhost():
    try:
        socket.getaddrinfo("localhost", 1)
    except socket.gaierror:
        skip("there is no address of localhost")


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(what, is_so, seconds=DEADLINE):
    """what: words, or a function that gives them when it is too late."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, (
            f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


class Feed:
    """The program feed (feed.c) with a sink."""

    program = None  # set by main()

    def __init__(self, sink, *options, env=None, keep_open=False, **properties):
        words = [f"{name.replace('_', '-')}={value}"
                 for name, value in properties.items()]
        options = [*options, *(["--keep-open"] if keep_open else [])]
        self.accepted = -1  # the last record that the sink has taken
        self.given = 0  # records that give() has given
        self.lines = []
        self.pipe = subprocess.Popen(
            [self.program, *options, sink, *words], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.pipe.stdout:
            if line.startswith("accepted "):
                self.accepted = int(line.split()[1])
            else:
                self.lines.append(line.rstrip("\n"))

    def find(self, word):
        """The lines that begin with word."""
        return [line for line in list(self.lines)
                if line.split(" ", 1)[0] == word]

    def wait_for(self, word):
        wait_until(lambda: f"{word} in {self.lines}", lambda: self.find(word))
        return self.find(word)[0]

    def wait_accepted(self, number):
        wait_until(lambda: f"record {number}, not {self.accepted} {self.lines}",
                   lambda: self.accepted >= number)

    def give(self, *records):
        """To a sink that was begun with --stdin."""
        self.given += len(records)
        for record in records:
            self.pipe.stdin.write(json.dumps(record) + "\n")
        self.pipe.stdin.flush()
        self.wait_accepted(self.given - 1)

    def end(self, seconds=DEADLINE):
        """Its exit status, after the end of the stream."""
        self.pipe.stdin.close()
        status = self.pipe.wait(seconds)
        self.reader.join(DEADLINE)
        if status == 77:
            skip(self.lines[-1])
        return status

    def kill(self):
        self.pipe.send_signal(signal.SIGKILL)
        self.pipe.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.pipe.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pipe.poll() is None:
            self.kill()

    def stat(self, name):
        """A number of the line "stats"."""
        text = self.find("stats")[0]
        return int(text.split(f" {name}=(guint64)")[1].split(",")[0])

    def get_growth(self):
        """KiB by which its memory has grown."""
        grown = self.find("done")[0].split()[2]
        return skip("a sanitizer keeps memory that was freed") \
            if grown == "-" else int(grown)


class Proxy:
    """Between a sink and its broker. mode, at any time:

    pass         as if it were not there
    reset        connections are reset, and new ones at once
    black-hole   nothing goes through, nothing ends
    half-open    as that, and the broker's end of a connection is gone
    """

    def __init__(self, target):
        self.target = target
        self.mode = "pass"
        self.pairs = []  # sockets of client and broker
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_open = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def set(self, mode):
        self.mode = mode

    def run(self):
        while self.is_open:
            self.apply_mode()
            sockets = [self.listener]
            if self.mode == "pass":
                sockets += [s for pair in self.pairs for s in pair if s]
            for ready in select.select(sockets, [], [], 0.02)[0]:
                if ready is self.listener:
                    self.accept()
                else:
                    self.forward(ready)

    def apply_mode(self):
        for pair in list(self.pairs):
            if self.mode == "reset" or (self.mode == "pass" and not pair[1]):
                self.drop(pair)
            elif self.mode == "half-open" and pair[1]:
                pair[1].close()
                self.pairs[self.pairs.index(pair)] = (pair[0], None)

    def accept(self):
        client = self.listener.accept()[0]
        broker = None
        if self.mode == "pass":
            try:
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                self.drop((client, None))
                return
        self.pairs.append((client, broker))

    def forward(self, ready):
        for pair in list(self.pairs):
            if ready not in pair:
                continue
            other = pair[1] if ready is pair[0] else pair[0]
            try:
                data = ready.recv(65536)
                if data:
                    other.sendall(data)
                    return
            except OSError:
                pass
            self.drop(pair)

    def drop(self, pair):
        """By a reset."""
        for end in filter(None, pair):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack("ii", 1, 0))
            end.close()
        if pair in self.pairs:
            self.pairs.remove(pair)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_open = False
        self.thread.join(DEADLINE)
        for pair in list(self.pairs):
            self.drop(pair)
        self.listener.close()


def compare_records(lines, count, n_sources=3):
    """What is wrong with JSON lines that should hold records 0 .. count - 1 of
    feed.c, in order within each source once they are deduplicated; and how many
    were duplicates."""
    seen = {f"cam-{i}": [] for i in range(n_sources)}
    known, duplicates = set(), 0
    for line in lines:
        record = json.loads(line)
        identity = (record["source"], record["sequence"])
        if identity in known:
            duplicates += 1
        else:
            known.add(identity)
            seen[record["source"]].append(record["sequence"])
    for i in range(n_sources):
        wanted = list(range(len(range(i, count, n_sources))))
        got = seen[f"cam-{i}"]
        missing = sorted(set(wanted) - set(got))
        assert not missing, f"cam-{i} lacks {len(missing)}: {missing[:5]} …"
        assert got == wanted, f"cam-{i} is out of order or has too many"
    return duplicates
