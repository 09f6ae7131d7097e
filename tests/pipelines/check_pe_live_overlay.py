#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The window of pe-live, as a TAP test: check_pe_live_overlay.py PE_LIVE

Where no display is, another sink takes its place: a file, a pipe that nobody
reads, or one that fails.
"""

import os
import pathlib
import sys
import tempfile
import time

from live import PATIENCE, live, run

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import run_tests  # noqa: E402

PROGRAM = sys.argv[1]
WIDTH, HEIGHT = 320, 180
SMALL = (f"videoscale ! videorate ! video/x-raw,format=GRAY8,width={WIDTH},"
         f"height={HEIGHT},framerate=5/1 ! filesink buffer-mode=unbuffered "
         "location=")
NOWHERE = "rtsp://127.0.0.1:1/x"


def wait_frame(path, holds):
    """Until holds(pixel) of the newest frame, where pixel(x, y) is a grey."""
    limit = time.monotonic() + PATIENCE
    size = WIDTH * HEIGHT
    while time.monotonic() < limit:
        n = path.stat().st_size // size if path.exists() else 0
        if n > 0:
            with path.open("rb") as file:
                file.seek((n - 1) * size)
                frame = file.read(size)
            if holds(lambda x, y: frame[y * WIDTH + x]):
                return
        time.sleep(0.1)
    raise AssertionError("no such frame")


def tells_at_once_that_there_is_no_display():
    env = {name: value for name, value in os.environ.items()
           if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    status, out, errors = run(PROGRAM, "--no-control", "test:", "--overlay",
                              env=env)
    assert status == 1 and "no display" in errors, (status, errors)
    assert out == "", out


def refuses_a_sink_that_is_none():
    for sink in ("nosuchsink", "fakesink !", "location=x"):
        status, out, errors = run(PROGRAM, "--no-control", "test:",
                                  "--overlay-sink", sink)
        assert status == 2 and out == "", (sink, status, out, errors)


def shows_streams_beside_each_other():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "wall")
        with live(PROGRAM, "--overlay-sink", SMALL + str(path),
                  "white=test:white", f"away={NOWHERE}") as program:
            program.wait_result("white")
            # The stream that runs is white below its table; the other has a
            # text above, and nothing below.
            wait_frame(path, lambda pixel: (
                pixel(80, 110) > 200 and pixel(240, 110) < 40 and
                max(pixel(x, y) for x in range(164, 260) for y in range(8))
                > 90))
            program.ask({"command": "add", "name": "third",
                         "uri": "test:white"})
            program.wait_result("third")
            # Two columns, two rows.
            wait_frame(path, lambda pixel: (
                pixel(80, 150) > 200 and pixel(80, 60) > 200 and
                pixel(240, 60) < 40))
            program.ask({"command": "remove", "name": "third"})
            wait_frame(path, lambda pixel: pixel(80, 110) > 200)
            status, errors = program.end()
            assert status == 0 and "window" not in errors, (status, errors)


def never_waits_for_the_window():
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        status, out, errors = run(PROGRAM, "--no-control", "test:",
                                  "--overlay-sink", f"filesink location={pipe}")
        assert status == 1 and out == "" and "in time" in errors, errors
        # Opened, and then not read.
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with live(PROGRAM, "--overlay-sink", f"filesink location={pipe}",
                  "bars=test:") as program:
            for _ in range(5):
                program.wait_result("bars", program.mark())
            status, errors = program.end()
            assert status == 0, (status, errors)
        os.close(reader)


def goes_on_without_the_window():
    with live(PROGRAM, "--overlay-sink", "identity error-after=3 ! fakesink",
              "bars=test:") as program:
        limit = time.monotonic() + PATIENCE
        path = pathlib.Path(program.folder.name, "errors")
        while "the window is over" not in path.read_text():
            assert time.monotonic() < limit, path.read_text()
            time.sleep(0.1)
        for _ in range(3):
            program.wait_result("bars", program.mark())
        status, errors = program.end()
        assert status == 0, (status, errors)


if __name__ == "__main__":
    sys.exit(run_tests([
        tells_at_once_that_there_is_no_display,
        refuses_a_sink_that_is_none,
        shows_streams_beside_each_other,
        never_waits_for_the_window,
        goes_on_without_the_window,
    ]))
