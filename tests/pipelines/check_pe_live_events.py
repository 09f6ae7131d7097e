#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events of pe-live in files, as a TAP test: check_pe_live_events.py PE_LIVE

The program is killed, too: whatever was told before is in the files then.
"""

import contextlib
import datetime
import json
import pathlib
import re
import signal
import sys
import tempfile
import time

from live import PATIENCE, live, run, wait_for_a_day_with_time_left

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import run_tests  # noqa: E402

PROGRAM = sys.argv[1]
EVIL_NAME = "../../a/b"
CUE = re.compile(r"(\d+)\n(\d+):(\d\d):(\d\d\.\d{3}) --> "
                 r"(\d+):(\d\d):(\d\d\.\d{3})\n(.+)\n\n")


def is_event(name, phase, label=None):
    return lambda line: (
        (line["type"], line.get("source"), line.get("event")) ==
        ("event", name, phase) and label in (None, line["label"]))


def read_lines(path):
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n"), text[-200:]
    return [json.loads(line) for line in text.splitlines()]


def read_cues(path):
    """[(start in s, end in s, text)]"""
    head, rest = path.read_text(encoding="utf-8").split("\n\n", 1)
    assert head == "WEBVTT", head
    cues = CUE.findall(rest)
    assert "".join(CUE.sub("", rest).split()) == "", rest
    def seconds(hours, minutes, rest):
        return 3600 * int(hours) + 60 * int(minutes) + float(rest)
    return [(seconds(*cue[1:4]), seconds(*cue[4:7]), cue[7]) for cue in cues]


def wait_file(folder, pattern, holds):
    limit = time.monotonic() + PATIENCE
    while True:
        found = sorted(folder.glob(pattern))
        with contextlib.suppress(ValueError, AssertionError):
            if found and holds(found[0]):
                return found[0]
        assert time.monotonic() < limit, list(folder.rglob("*"))
        time.sleep(0.05)


def second_of_day(text):
    time_of_day = datetime.datetime.fromisoformat(text[:26])
    return (time_of_day - time_of_day.replace(
        hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def writes_events_as_they_come():
    wait_for_a_day_with_time_left()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name, "new", "events")
        with live(PROGRAM, "--events", folder, "--set", "event-threshold=0.05",
                  "bars=test:smpte") as program:
            program.wait("start", is_event("bars", "start", "colour bars"))
            # Other labels end the events of the old ones.
            assert program.ask({"command": "set-labels", "name": "bars",
                                "labels": "a car|fog"})["ok"]
            end = program.wait("end", is_event("bars", "end", "colour bars"))
            assert program.ask({"command": "add", "name": EVIL_NAME,
                                "uri": "test:smpte"})["ok"]
            program.wait("evil", is_event(EVIL_NAME, "start"))
            assert program.end()[0] == 0
            told = [line for line in program.lines if line["type"] == "event"
                    and line["source"] == "bars"]
        assert {p.parent.name for p in folder.rglob("*.jsonl")} > {"bars"}
        assert len(list(folder.iterdir())) == 2
        assert not pathlib.Path(name, "a").exists()
        written = read_lines(next(folder.glob("bars/????-??-??.jsonl")))
        cues = read_cues(next(folder.glob("bars/????-??-??.vtt")))
    for line in told:
        del line["arrived"]
    assert written == told, (written, told)
    start, until, text = cues[0]
    assert text.startswith("colour bars ("), cues
    assert abs(start - second_of_day(end["wall-start"])) < 0.002, cues
    assert abs(until - second_of_day(end["wall-end"])) < 0.002, cues
    ended = [line for line in told if line["event"] == "end"]
    assert len(cues) == len(ended), (cues, ended)


def keeps_whole_lines_when_it_is_killed():
    wait_for_a_day_with_time_left()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for part in range(2):  # the second goes on behind the first
            with live(PROGRAM, "--events", folder, "--set",
                      "event-threshold=0.05", "bars=test:smpte") as program:
                program.wait("start", is_event("bars", "start"))
                assert program.ask({"command": "set-labels", "name": "bars",
                                    "labels": "a car"})["ok"]
                program.wait("end", is_event("bars", "end", "colour bars"))
                wait_file(folder, "bars/*.vtt",
                          lambda p, n=part: len(read_cues(p)) > n)
                wait_file(folder, "bars/*.jsonl", lambda p, n=part:
                          p.read_text(encoding="utf-8").count('"end","id"') > n)
                program.end(signal.SIGKILL)
            path = next(folder.glob("bars/*.jsonl"))
            if part == 0:  # as the end of the machine would leave it
                with path.open("a", encoding="utf-8") as file:
                    file.write('{"schema":"pe-1","ty')
        lines = path.read_text(encoding="utf-8").splitlines()
        cues = read_cues(next(folder.glob("bars/*.vtt")))
    broken = [line for line in lines if line == '{"schema":"pe-1","ty']
    assert len(broken) == 1, lines
    ends = [line for line in lines if line not in broken and
            json.loads(line)["event"] == "end"]
    assert len(ends) == 2 and len(cues) == 2, (ends, cues)


def ends_events_of_a_camera_that_is_away():
    """With the camera, its events end in the files, too."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with live(PROGRAM, "--events", folder, "--set", "event-threshold=0.05",
                  "bars=test:smpte") as program:
            program.wait("start", is_event("bars", "start"))
            assert program.ask({"command": "remove", "name": "bars"})["ok"]
            program.wait("end", is_event("bars", "end", "colour bars"))
            wait_file(folder, "bars/*.vtt", lambda p: len(read_cues(p)) > 0)
            assert program.end()[0] == 0


def names_the_region_of_an_event():
    wait_for_a_day_with_time_left()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with live(PROGRAM, "--events", folder, "--set", "event-threshold=0.05",
                  "--set", "regions=gate=0,0,100%,100%;colour bars|fog",
                  "bars=test:smpte") as program:
            line = program.wait("start",
                                is_event("bars", "start", "colour bars"))
            assert line["region"]["name"] == "gate", line
            assert program.end()[0] == 0
        lines = read_lines(next(folder.glob("bars/*.jsonl")))
        cues = read_cues(next(folder.glob("bars/*.vtt")))
    assert {line["region"]["name"] for line in lines} == {"gate"}, lines
    assert any(text.startswith("gate: colour bars (") for *_, text in cues), (
        cues)


def names_what_is_wrong_with_a_region():
    wrong = "regions=gate=0,0,100%;open"
    status, _, err = run(PROGRAM, "--no-control", "--set", wrong, "test:")
    assert status == 2 and "expected four numbers" in err, (status, err)
    with live(PROGRAM, "stays=test:smpte") as program:
        program.wait_result("stays")
        answer = program.ask({"command": "add", "name": "gate",
                              "uri": "test:smpte",
                              "regions": "gate=0,0,100%;open"})
        assert not answer["ok"] and "four numbers" in answer["error"], answer
        assert program.end()[0] == 0


def refuses_what_cannot_be():
    for args in (("--events", "/proc/nowhere"),
                 ("--events", "/dev/null/x")):
        status, _, err = run(PROGRAM, "--no-control", *args, "test:")
        assert status == 1 and args[1] in err, (status, err)
    for args in (("--events-limit", "0"), ("--set", "event-state=/tmp/x")):
        status, _, err = run(PROGRAM, *args)
        assert status == 2 and args[1].split("=")[0] in " ".join(args), err


if __name__ == "__main__":
    sys.exit(run_tests([
        writes_events_as_they_come, keeps_whole_lines_when_it_is_killed,
        ends_events_of_a_camera_that_is_away, names_the_region_of_an_event,
        names_what_is_wrong_with_a_region, refuses_what_cannot_be]))
