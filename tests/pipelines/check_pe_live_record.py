#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clips around events, as a TAP test: check_pe_live_record.py PE_LIVE

A camera sends H.264 or H.265 by RTSP with a key frame a second. What was recorded is read
again: it plays, begins with a key frame, and is as long as what was asked for.
"""

import contextlib
import datetime
import json
import pathlib
import sys
import tempfile
import time

from live import PATIENCE, live, run, to_seconds

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import run_tests, skip  # noqa: E402

from camera import cameras  # noqa: E402

PROGRAM = sys.argv[1]
SCHEMA = pathlib.Path(__file__).parents[2] / "docs" / "schema" / "pe-live.json"
BEFORE, AFTER = 3, 1
GROUP = 1.1  # s from a key frame to the next
FRAME = 0.1


def need_elements(*names):
    try:
        import gi
        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError) as missing:
        skip(missing)
    Gst.init(None)
    for name in names:
        if not Gst.ElementFactory.find(name):
            skip(f"no {name} here")
    return Gst


def read_clip(path, codec="h264"):
    """(seconds, pictures, whether it begins with a key frame)"""
    Gst = need_elements()
    pipeline = Gst.parse_launch(
        f"filesrc name=file ! qtdemux name=demux ! {codec}parse ! "
        f"avdec_{codec} ! fakesink name=sink sync=false")
    pipeline.get_by_name("file").props.location = str(path)
    keys, times = [], []

    def on_packet(_, info):
        keys.append(not info.get_buffer().has_flags(
            Gst.BufferFlags.DELTA_UNIT))
        return Gst.PadProbeReturn.OK

    def on_picture(_, info):
        times.append(info.get_buffer().pts / Gst.SECOND)
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name("demux").connect(
        "pad-added", lambda _, pad: pad.add_probe(Gst.PadProbeType.BUFFER,
                                                  on_packet))
    pipeline.get_by_name("sink").get_static_pad("sink").add_probe(
        Gst.PadProbeType.BUFFER, on_picture)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        PATIENCE * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message and message.type == Gst.MessageType.EOS, (
        message and message.parse_error())
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert max(gaps) < 3 * FRAME, f"a gap of {max(gaps):.2f} s"
    return times[-1] - times[0] + FRAME, len(times), keys[0]


def wait_clip(folder, n=1):
    """The clips, when they are complete: what is beside them comes last."""
    limit = time.monotonic() + PATIENCE
    while True:
        found = sorted(folder.rglob("*.mp4"))
        if len(found) >= n and all(path.with_suffix(".json").exists()
                                   for path in found):
            return found
        assert time.monotonic() < limit, list(folder.rglob("*"))
        time.sleep(0.2)


def wait_event(program, phase, since=0):
    return program.wait(phase, lambda line: line.get("event") == phase and
                        line["label"] == "colour bars/?", since)


def set_labels(program, text):
    answer = program.ask({"command": "set-labels", "name": "gate/1",
                          "labels": text})
    assert answer["ok"], answer


def let_happen(program):
    """Another label than those so far is there, and then not: its end"""
    mark = program.mark()
    set_labels(program,
               '[{"name": "colour bars/?", "prompts": ["colour bars"]}]')
    wait_event(program, "start", mark)
    set_labels(program, "a lake")
    return wait_event(program, "end", mark)


def check_notes(path, end, seconds):
    """What is beside the clip says where in it the event is."""
    notes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert (notes["type"], notes["stream"]) == ("recording", "gate/1"), notes
    with contextlib.suppress(ImportError):
        import jsonschema
        jsonschema.validate(notes, json.loads(SCHEMA.read_text("utf-8")))
    length = to_seconds(notes["end"]) - to_seconds(notes["start"])
    print(f"# {length + FRAME:.2f} s by the notes, {seconds:.2f} s by the clip")
    assert abs(length + FRAME - seconds) < GROUP, (notes, seconds)
    event, = notes["events"]
    assert event["label"] == "colour bars/?" and event["over"], notes
    assert event["start"] == end["wall-start"][:26] + "Z", (notes, end)
    inside = to_seconds(event["start"]) - to_seconds(notes["start"])
    print(f"# the event begins {event['clip-start']:.3f} s into the clip")
    assert abs(event["clip-start"] - inside) < 2e-3, notes  # told in ms
    assert BEFORE - FRAME <= inside <= BEFORE + GROUP + FRAME, notes
    assert event["clip-end"] > event["clip-start"], notes


def records_what_the_camera_sent():
    record("h264", "good")


def records_h265():
    record("h265", "h265")


def record(codec, kind):
    need_elements("mp4mux", "qtdemux", f"avdec_{codec}", f"{codec}parse")
    with tempfile.TemporaryDirectory() as name, cameras(gate=kind) as servers:
        folder = pathlib.Path(name)
        with live(PROGRAM, "--record-events", folder, "--record-before", BEFORE,
                  "--record-after", AFTER, "--set", "event-threshold=0.05",
                  "--set", "labels=a lake") as program:
            program.wait_socket()
            assert program.ask({"command": "add", "name": "gate/1",
                                "uri": servers["gate"].uri()})["ok"]
            program.wait_result("gate/1")
            time.sleep(BEFORE + GROUP)  # so that there is something before
            told = let_happen(program)
            start, end = (to_seconds(told["wall-" + x])
                          for x in ("start", "end"))
            path, = wait_clip(folder)
            status, err = program.end()
        assert status == 0 and "record" not in err, (status, err)
        seconds, n, begins_with_key = read_clip(path, codec)
        check_notes(path, told, seconds)
    wanted = BEFORE + end - start + AFTER
    print(f"# {path.name}: {n} pictures, {seconds:.2f} s, wanted "
          f"{wanted:.2f} s and up to {GROUP} s more in front")
    assert begins_with_key
    assert wanted - 2 * FRAME <= seconds <= wanted + GROUP + 2 * FRAME
    assert abs(n * FRAME - seconds) < 3 * FRAME, (n, seconds)
    assert path.parent.parent == folder and "/" not in path.name
    words = path.stem.split("_")
    at = datetime.datetime.strptime(
        words[0], "%Y-%m-%dT%H-%M-%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    assert abs(at.timestamp() - start) < 0.01, (path.name, start)
    assert words[1:3] == ["gate", "1-" + words[2][2:]], path.name
    assert "colour" in path.name and "bars" in path.name, path.name


def plays_what_was_recorded_when_it_is_killed():
    need_elements("mp4mux", "qtdemux", "avdec_h264", "h264parse")
    with tempfile.TemporaryDirectory() as name, cameras(gate="good") as servers:
        folder = pathlib.Path(name)
        with live(PROGRAM, "--record-events", folder, "--set",
                  "event-threshold=0.05",
                  f"gate={servers['gate'].uri()}") as program:
            program.wait("start", lambda line: line.get("event") == "start")
            limit = time.monotonic() + PATIENCE
            while sum(p.stat().st_size for p in folder.rglob("*.mp4")) < 8000:
                assert time.monotonic() < limit, list(folder.rglob("*"))
                time.sleep(0.1)
            program.end(9)
        path, = folder.rglob("*.mp4")
        seconds, _, begins_with_key = read_clip(path)
    print(f"# {seconds:.1f} s of a recording that was killed")
    assert begins_with_key and seconds >= 1


def goes_on_when_the_disk_is_full():
    """A limit of the size of files stands for the end of the disk."""
    need_elements("mp4mux", "h264parse")
    with tempfile.TemporaryDirectory() as name, cameras(gate="good") as servers:
        limited = pathlib.Path(name, "limited")
        limited.write_text("#!/bin/sh\ntrap '' XFSZ\nulimit -f 16\n"
                           f'exec "{pathlib.Path(PROGRAM).resolve()}" "$@"\n',
                           encoding="utf-8")
        limited.chmod(0o755)
        with live(limited, "--record-events", name, "--set",
                  "event-threshold=0.05",
                  f"gate={servers['gate'].uri()}") as program:
            program.wait("start", lambda line: line.get("event") == "start")
            errors = pathlib.Path(program.errors.name)
            limit = time.monotonic() + PATIENCE
            while "is not recorded" not in errors.read_text(encoding="utf-8"):
                assert time.monotonic() < limit, "nobody tells that it is full"
                time.sleep(0.1)
            program.wait_result("gate", program.mark())
            statuses = [line["status"] for line in program.lines
                        if line["type"] == "status"]
            assert program.end()[0] == 0
    assert "retrying" not in statuses, statuses


def tells_what_cannot_be_recorded():
    need_elements("videotestsrc")
    with tempfile.TemporaryDirectory() as name:
        with live(PROGRAM, "--record-events", name, "--set",
                  "event-threshold=0.05", "bars=test:smpte") as program:
            program.wait("start", lambda line: line.get("event") == "start")
            program.wait_result("bars", program.mark())
            status, err = program.end()
        assert status == 0 and "bars" in err and "encoded" in err, err
        assert not list(pathlib.Path(name).rglob("*.mp4"))
    status, _, err = run(PROGRAM, "--no-control", "--record-events",
                         "/proc/nowhere", "test:")
    assert status == 1 and "/proc/nowhere" in err, (status, err)
    for option in (("--record-limit", "1"), ("--record-before", "-1"),
                   ("--record-after", "61")):
        status, _, err = run(PROGRAM, *option)
        assert status == 2 and option[0] in err, (option, err)


if __name__ == "__main__":
    sys.exit(run_tests([
        records_what_the_camera_sent, records_h265,
        plays_what_was_recorded_when_it_is_killed,
        goes_on_when_the_disk_is_full,
        tells_what_cannot_be_recorded]))
