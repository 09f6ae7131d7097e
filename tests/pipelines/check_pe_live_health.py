#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-live --health, as a TAP test: check_pe_live_health.py PE_LIVE

The cameras are files of raw video and test sources: one that shows the same
picture for ever, one that was turned away, one whose light flickers, and one in
order, whose picture has the noise of a sensor.
"""

import math
import os
import pathlib
import random
import sys
import tempfile

from live import live, run

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import need_elements, run_tests  # noqa: E402

PROGRAM = sys.argv[1]
FROZEN, MOVED, FLICKER = "frozen picture", "camera moved", "flicker"
WIDTH, HEIGHT = 128, 96
LEARN = 40  # s that a camera stays where it is; pehealth learns for 30
AFTER = 12  # and that it is elsewhere


def scene(number):
    """The luma of a place."""
    a, b = 0.11 + 0.05 * number, 0.17 - 0.06 * number
    return [[110 + 40 * math.sin(a * x + number) * math.cos(b * y)
             + 30 * math.sin(0.31 * x - 0.23 * y * (1 + number))
             for x in range(WIDTH)] for y in range(HEIGHT)]


def darker(place):
    return [[0.8 * level for level in row] for row in place]


def write_camera(path, scenes, noise, rate=1):
    """One picture after the other in YUV4MPEG, each with its own noise."""
    grain = random.Random(3)
    lines = [[grain.uniform(-5, 5) for _ in range(WIDTH)] for _ in range(199)]
    chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{rate}:1 C420jpeg\n".encode())
        for place in scenes:
            file.write(b"FRAME\n")
            for row in place:
                line = grain.choice(lines) if noise else [0] * WIDTH
                file.write(bytes(int(level + speck)
                                 for level, speck in zip(row, line)))
            file.write(chroma)


def is_event(name, phase, label=None):
    return lambda line: (
        (line["type"], line.get("source"), line.get("event")) ==
        ("event", name, phase) and label in (None, line["label"]))


def tells_what_is_wrong_with_cameras():
    need_elements("y4mdec", "videotestsrc")
    home, away = scene(0), scene(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_camera(folder / "turned.y4m", [home] * LEARN + [away] * AFTER, 5)
        write_camera(folder / "good.y4m", [home] * (LEARN + AFTER), 5)
        write_camera(folder / "stuck.y4m", [home] * 20, 0)
        write_camera(folder / "lamp.y4m",
                     [home, home, darker(home), darker(home)] * 24, 5, 8)
        events = folder / "events"
        with live(PROGRAM, "--health", "--events", events,
                  f"turned={folder}/turned.y4m", f"good={folder}/good.y4m",
                  f"stuck={folder}/stuck.y4m", f"lamp={folder}/lamp.y4m",
                  "noise=test:snow",
                  labels=None) as program:
            # That of a label, by the model of cameras' pictures.
            start = program.wait("noise",
                                 is_event("noise", "start", "static noise"))
            assert start["model"] == "pe-camera", start
            start = program.wait("frozen", is_event("stuck", "start", FROZEN))
            end = program.wait("thawed", is_event("stuck", "end", FROZEN))
            assert end["id"] == start["id"], (start, end)
            assert 7e9 <= start["start"] <= 9e9, start
            assert end["end"] >= 18e9, end
            start = program.wait("moved", is_event("turned", "start", MOVED))
            assert LEARN + 4 <= start["start"] / 1e9 <= LEARN + 7, start
            program.wait("settled", is_event("turned", "end", MOVED))
            program.wait("lit", is_event("lamp", "start", FLICKER))
            program.wait_status("good", "stopped")
            told = [line for line in program.lines if line["type"] == "event"
                    and line["label"] in (FROZEN, MOVED, FLICKER)]
            notes = [line for line in program.lines if line["type"] == "note"]
            assert program.end()[0] == 0
        assert not notes, notes
        # What was told is in the files, too.
        for stream, label in (("stuck", FROZEN), ("turned", MOVED),
                              ("lamp", FLICKER)):
            files = list(events.glob(f"{stream}*/*.jsonl"))  # one for each day
            assert any(label in p.read_text("utf-8") for p in files), files
    assert {line["source"] for line in told} == {"stuck", "turned", "lamp"}, told


def says_so_in_its_help():
    status, out, _ = run(PROGRAM, "--help")
    assert status == 0 and "--health" in out, out


def names_the_model_that_is_missing():
    with tempfile.TemporaryDirectory() as empty:
        status, out, err = run(PROGRAM, "--no-control", "--health", "x=test:snow",
                               env={**os.environ, "GST_PE_DATA_PATH": empty})
    assert status == 2 and not out, (status, out)
    assert "pe-camera.safetensors, is not installed" in err, err


if __name__ == "__main__":
    sys.exit(run_tests([tells_what_is_wrong_with_cameras, says_so_in_its_help,
                        names_the_model_that_is_missing]))
