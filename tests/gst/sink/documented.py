# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pipelines of a document with a sink, and what they name, so that a test
runs them on the demo video against a broker of its own.
"""

import os
import re
import subprocess

from certificates import Authority

from feeding import DEADLINE
from tap import Folder, need_elements, run_tests

COMMAND = re.compile(r"^(?: {4}[^\n]*\n)+", re.MULTILINE)
PASSWORD = "secret"


def find_commands(document, sink):
    blocks = [m[0] for m in COMMAND.finditer(document.read_text())]
    return [b for b in blocks if "gst-launch-1.0" in b and sink in b]


def make_files(folder, demo):
    """What the commands name. The authority, and the broker's certificate and
    key for localhost."""
    authority = Authority(folder / "authority")
    for name, path in zip(("camera.pem", "camera.key"),
                          authority.make("camera")):
        (folder / name).symlink_to(path)
    (folder / "ca.pem").symlink_to(authority.cert)
    (folder / "gst-perception-encoder").symlink_to(demo)
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "holiday.mp4").symlink_to(demo / "demo.mp4")
    return authority, authority.make("localhost")


def run_command(command, folder, sink):
    need_elements("qtdemux", "avdec_h264", "decodebin", "videoconvert", sink)
    done = subprocess.run(command, shell=True, cwd=folder, text=True,
                          capture_output=True, timeout=DEADLINE, check=False,
                          env={**os.environ, "GST_PE_DATA_PATH": str(folder)})
    assert done.returncode == 0, done.stderr


def run_document(document, sink, run):
    """run(command, folder) tests one; whether any failed."""
    commands = find_commands(document, sink)

    def make_test(number, command):
        def test(folder):
            run(command, folder)
        test.__name__ = f"{document.name}_command_{number}"
        return test

    tests = [make_test(n, c) for n, c in enumerate(commands, 1)]
    assert tests, f"{document} has no command with {sink}"
    return run_tests(tests, Folder)
