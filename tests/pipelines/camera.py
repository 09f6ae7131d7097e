# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cameras of the tests: servers of RTSP in processes of their own."""

import contextlib
import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import skip  # noqa: E402

SERVER = pathlib.Path(__file__).with_name("rtsp_server.py")


class Camera:
    """A server in a process of its own, always on the same port."""

    def __init__(self, kind, size="160x120", rate=10):
        self.kind, self.port = kind, 0
        self.pictures = (size, str(rate))
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", SERVER, str(self.port), self.kind,
             *self.pictures],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.strip().isdigit() and self.process.wait() == 77:
            skip(f"no RTSP server here: {line.strip()}")
        self.port = int(line)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def uri(self, login=""):
        return f"rtsp://{login}127.0.0.1:{self.port}/live"


@contextlib.contextmanager
def cameras(**kinds):
    with contextlib.ExitStack() as stack:
        all_of_them = {}
        for name, kind in kinds.items():
            all_of_them[name] = Camera(kind)
            stack.callback(all_of_them[name].kill)
        yield all_of_them
