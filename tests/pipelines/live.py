# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-live and the cameras that it watches, for the tests."""

import contextlib
import datetime
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time

PATIENCE = 60  # s; only what hangs waits as long
LABELS = "colour bars|a black screen|fog"


def to_seconds(text):
    """UNIX time of a time as pe-live writes it."""
    return datetime.datetime.fromisoformat(text[:26] + "+00:00").timestamp()


def wait_for_a_day_with_time_left():
    """Midnight (UTC) begins new files; no test that looks at one is there."""
    left = 86400 - time.time() % 86400
    if left < 2 * PATIENCE:
        time.sleep(left + 1)


def percentile(values, p):
    """By the nearest rank."""
    rank = max(-(-len(values) * p // 100), 1)
    return sorted(values)[int(rank) - 1]


def run(program, *args, **kwargs):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([program, *map(str, args)], capture_output=True,
                          text=True, check=False, timeout=PATIENCE, **kwargs)
    return done.returncode, done.stdout, done.stderr


class Live:
    """A running pe-live: its lines as they come, and its control socket."""

    def __init__(self, program, *args, env=None, labels=LABELS):
        self.program = program
        self.folder = tempfile.TemporaryDirectory()
        self.socket = pathlib.Path(self.folder.name, "control")
        self.errors = open(pathlib.Path(self.folder.name, "errors"), "w+",
                           encoding="utf-8", errors="replace")
        self.lines, self.changed = [], threading.Condition()
        self.text = []
        self.process = subprocess.Popen(
            [program, "--json", "--control", self.socket,
             *(["--labels", labels] if labels else []),
             "--set", "clip-length=2", *map(str, args)],
            stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for text in self.process.stdout:
            line = json.loads(text)
            line["arrived"] = time.monotonic()
            with self.changed:
                self.text.append(text)
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait(self, what, matches, since=0):
        """The first line from number `since` on for which matches(line)."""
        limit = time.monotonic() + PATIENCE
        seen = since
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    if matches(line):
                        return line
                seen = len(self.lines)
                assert self.process.poll() is None or self.reader.is_alive(), (
                    f"pe-live ended before {what}: {self.read_errors()}")
                assert time.monotonic() < limit, f"no {what}"
                self.changed.wait(1)

    def wait_status(self, stream, status, since=0):
        return self.wait(
            f"{stream} {status}",
            lambda line: line["type"] == "status" and
            (line["stream"], line["status"]) == (stream, status), since)

    def wait_result(self, stream, since=0):
        return self.wait(f"result of {stream}",
                         lambda line: line.get("source") == stream, since)

    def mark(self):
        with self.changed:
            return len(self.lines)

    def ask(self, request):
        """The answer to a request, as an object."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.socket))
            text = request if isinstance(request, str) else json.dumps(request)
            client.sendall(text.encode() + b"\n")
            return json.loads(client.makefile().readline())

    def wait_socket(self):
        limit = time.monotonic() + PATIENCE
        while not self.socket.exists():
            assert time.monotonic() < limit and self.process.poll() is None
            time.sleep(0.02)

    def read_errors(self):
        self.errors.seek(0)
        return self.errors.read()

    def end(self, how=signal.SIGTERM):
        """Exit status and what was written to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        errors = self.read_errors()
        self.errors.close()
        return status, errors

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.errors.close()
        self.folder.cleanup()


@contextlib.contextmanager
def live(*args, **kwargs):
    program = Live(*args, **kwargs)
    try:
        yield program
    finally:
        program.close()
