#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-tag from the outside, as a TAP test: check_pe_tag.py PE_TAG TINY_MODEL"""

import fcntl
import functools
import http.server
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time

import tagging
from make_archive import has_elements, launch, write_video
from tagging import (LABELS, dump, example_videos, folder, need_elements,
                     read_errors, run_tests, scenes, skip)

PROGRAM, TINY_MODEL = sys.argv[1:3]
run = functools.partial(tagging.run, PROGRAM)
tag = functools.partial(tagging.tag, PROGRAM)
dump = functools.partial(dump, PROGRAM)
SCENES = ("fog", "colour bars", "a red circle", "a black screen")


def write(path, *labels, seconds=2, kind=None):
    write_video(path, [(label, seconds) for label in labels or SCENES],
                scenes(), kind)
    return path


def tells_usage_apart_from_failure():
    with folder() as out:
        run("x.mp4", status=2)
        run("--out", out, status=2)
        run("--out", out, "--frame-rate", "0", "x.mp4", status=2)
        run("--out", out, "--time-from-name", "%H", "x.mp4", status=2)
        for wrong in (("--jobs", 100000), ("--jobs", -1), ("--dedup", "nan"),
                      ("--dedup", "inf"), ("--dedup", -1), ("--shot", 2),
                      ("--shot", "nan"), ("--threads", -1),
                      ("--keyframes-only", "--frame-rate", 2)):
            _, err = run("--out", out, *wrong, "x.mp4", status=2)
            assert wrong[0] in err, (wrong, err)
        _, err = run("export", "--out", out, "--format", "vtt", status=2)
        assert "--to DIR" in err, err
        run("relabel", "--out", out, status=2)
        run("stats", "--out", out + "/nothing", status=2)
        assert "pe-tag makes one" in run("stats", "--out", out, status=2)[1]


def waits_for_no_pipe():
    with folder() as out:
        os.mkfifo(out + "/labels.json")
        _, err = run("x.mp4", "--out", out + "/index", "--model", TINY_MODEL,
                     "--labels", out + "/labels.json", status=1)
        assert "is a device or pipe, not a file" in err, err


def finds_known_scenes_at_their_times():
    videos, truth = example_videos()
    with folder() as out:
        files, summary = tag(out, videos, "--labels", LABELS)
        assert summary["tagged"] == 4 and summary["done"] == 4, summary
        for name, line in files.items():
            expected = [(row["start"], row["end"], row["label"])
                        for row in truth if row["file"] == name]
            found = [(s["start"], s["end"], s["labels"][0]["label"])
                     for s in line["segments"]]
            assert len(found) == len(expected), (name, found, expected)
            for a, b in zip(found, expected):
                assert a[2] == b[2], (name, found, expected)
                assert abs(a[0] - b[0]) <= .5 and abs(a[1] - b[1]) <= .5, (a, b)
        assert read_errors(out) == {}
        run("verify", "--out", out)
        again, summary = tag(out, videos)
        assert summary["known"] == 4 and summary["frames"] == 0, summary


def finds_the_same_scenes_in_key_frames():
    with folder() as out:
        # A key frame every five seconds, and the scenes as long.
        path = write(out + "/a.mp4", *SCENES, seconds=5)
        files, _ = tag(out + "/all", path, "--labels", LABELS)
        keys, _ = tag(out + "/keys", path, "--labels", LABELS,
                      "--keyframes-only")
        segments = [[(s["start"], s["end"], s["labels"][0]["label"])
                     for s in lines[path]["segments"]]
                    for lines in (files, keys)]
        assert len(segments[0]) == 4 and segments[0] == segments[1], segments
        assert keys[path]["samples"] < files[path]["samples"] / 2


def relabels_without_the_videos():
    with folder() as out:
        path = pathlib.Path(write(out + "/a.mp4"))
        tag(out + "/index", path)
        path.unlink()
        labels = pathlib.Path(out, "labels.txt")
        labels.write_text("fog\ncolour bars\na red circle\na black screen\n")
        run("relabel", "--out", out + "/index", "--labels", labels)
        text, _ = run("export", "--out", out + "/index", "--format", "jsonl")
        best = re.findall(r'"labels": \[\{"label": "([^"]*)"', text)
        assert best == list(SCENES), best
        run("export", "--out", out + "/index", "--format", "vtt", "--to",
            out + "/new/folder")
        chapters = next(pathlib.Path(out).glob("new/folder/a.mp4-*.vtt"))
        chapters = chapters.read_text()
        assert chapters.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nfog")
        assert "1 of 1 files" in run("prune", "--out", out + "/index")[0]
        assert "files      0" in run("stats", "--out", out + "/index")[0]


def forgets_nothing_that_is_only_offline():
    with folder() as out:
        disk = pathlib.Path(out, "disk")
        disk.mkdir()
        tag(out + "/index", write(disk / "a.mp4", "fog"))
        disk.rename(out + "/elsewhere")
        assert "0 of 1 files" in run("prune", "--out", out + "/index")[0]


def tells_equal_heads_from_equal_files():
    with folder() as out:
        # Raw video in AVI: bytes of one frame differ, which no block of the
        # key covers.
        first, second, third = (pathlib.Path(out, f"{i}.avi") for i in "123")
        write(first, "fog", "colour bars", seconds=4, kind="mjpeg.avi")
        data = bytearray(first.read_bytes() + bytes(6 << 20))
        first.write_bytes(data)
        third.write_bytes(data)
        data[-3 << 20] ^= 1
        second.write_bytes(data)
        files, summary = tag(out + "/index", out, "--jobs", 1)
        assert summary["tagged"] == 2 and summary["linked"] == 1, summary
        assert files[str(third)]["status"] == "linked", files
        assert files[str(third)]["segments"] == files[str(first)]["segments"]


def links_equal_files_that_are_read_at_once():
    with folder() as out:
        first, second = (pathlib.Path(out, f"{i}.mp4") for i in "12")
        second.write_bytes(pathlib.Path(write(first)).read_bytes())
        _, summary = tag(out + "/index", out, "--jobs", 2)
        assert summary["tagged"] == 1 and summary["linked"] == 1, summary
        text, _ = run("stats", "--out", out + "/index")
        assert "files      2 (1 contents" in text, text
        assert run("verify", "--out", out + "/index")[0] == "sound\n"
        _, summary = tag(out + "/index", out)
        assert summary["known"] == 2, summary


def tags_what_has_changed_again():
    with folder() as out:
        path = write(out + "/a.mp4", "fog")
        tag(out + "/index", path, "--labels", LABELS)
        write(path, "colour bars")
        files, _ = tag(out + "/index", path, "--labels", LABELS)
        label = files[path]["segments"][0]["labels"][0]["label"]
        assert label == "colour bars", label
        assert "files      1 (1 contents" in run("stats", "--out",
                                                 out + "/index")[0]
        run("verify", "--out", out + "/index")


def takes_a_list_and_odd_names():
    with folder() as out:
        odd = os.path.join(os.fsencode(out), b"a \xff\t'$(x).mp4")
        os.rename(write(out + "/a.mp4", "fog"), odd)
        _, summary = tag(out + "/index", "-", input=odd + b"\n\n" + odd + b"\n")
        assert summary["files"] == 1 and summary["tagged"] == 1, summary


def knows_when_names_say_it():
    with folder() as out:
        env = {**os.environ, "TZ": "Europe/Berlin"}
        path = write(out + "/gate_20240701-223000.mp4", "fog")
        files, _ = tag(out + "/index", path, "--time-from-name",
                       "_%Y%m%d-%H%M%S", env=env)
        line = files[path]
        assert line["recorded"] == "2024-07-01T20:30:00Z", line
        assert line["recorded-by"] == "name", line


def knows_when_a_copy_was_recorded():
    with folder() as out:
        first, second = (f"{out}/{name}.mp4" for name in ("a", "b_20240701"))
        data = pathlib.Path(write(first, "fog")).read_bytes()
        pathlib.Path(second).write_bytes(data)
        files, summary = tag(out + "/index", first, second, "--jobs", 1)
        assert summary["linked"] == 1, summary
        assert files[first]["recorded-by"] == "container", files
        assert files[second]["recorded"] == files[first]["recorded"], files
        # What only one of their names says, the container says of the other.
        files, _ = tag(out + "/named", second, first, "--jobs", 1,
                       "--time-from-name", "_%Y%m%d")
        assert files[second]["recorded-by"] == "name", files
        assert files[first]["recorded-by"] == "container", files


def draws_the_first_frame_of_a_video_that_begins_late():
    with folder() as out:
        if not has_elements("mpeg2.ts"):
            skip("there is no encoder of MPEG-2")
        path = write(out + "/a.ts", kind="mpeg2.ts")
        for i in range(4):  # whether its picture came in time was luck
            tag(f"{out}/{i}", path)
            text = dump(f"{out}/{i}")
            assert "segment" in text and "thumbnail none" not in text, text


# ---- Broken files ----------------------------------------------------------

def patch(path, old, new):
    data = pathlib.Path(path).read_bytes()
    assert old in data, (path, old)
    pathlib.Path(path).write_bytes(data.replace(old, new))


def write_broken(out):
    """name -> (reasons of which one is right, is a part of it kept?)"""
    good = pathlib.Path(write(out + "/good.mp4")).read_bytes()
    mkv = pathlib.Path(write(out + "/good.mkv", kind="bframes.mkv")).read_bytes()
    write(out + "/good.ts", kind="h264.ts")
    rng = random.Random(5)
    noise = bytes(rng.randrange(256) for _ in range(50000))
    files = {
        "empty.mp4": (b"", "empty", False),
        "text.mp4": (b"not a video at all\n" * 99, "not-media|no-video", False),
        "noise.mkv": (noise, "not-media|damaged", False),
        "zeros.avi": (bytes(50000), "not-media|damaged", False),
        "noise.ts": (noise, "not-media|damaged|no-video", False),
        "head.mp4": (good[:40], "not-media|damaged|no-video", False),
        "no-index.mp4": (good[:len(good) * 2 // 3],
                         "damaged|no-video|not-media|truncated", False),
        "cut.mkv": (mkv[:len(mkv) // 2], "truncated|damaged", True),
        "encrypted.mp4": (good.replace(b"avc1", b"encv"),
                          "encrypted|damaged|no-decoder", False),
        "codec.mp4": (good.replace(b"avc1", b"xyz1"), "no-decoder", False),
    }
    half = len(mkv) // 2
    avi = pathlib.Path(write(out + "/good.avi", kind="mjpeg.avi")).read_bytes()
    files["cut.avi"] = (avi[:len(avi) // 2], "truncated|damaged", True)
    files["holes.mkv"] = (mkv[:half] + bytes(30000) + mkv[half + 30000:],
                          "damaged|truncated", True)
    expected = {}
    for name, (data, reasons, kept) in files.items():
        pathlib.Path(out, name).write_bytes(data)
        expected[f"{out}/{name}"] = (set(reasons.split("|")), kept)
    launch(f"audiotestsrc num-buffers=100 ! audioconvert ! avenc_aac ! mp4mux "
           f"! filesink location={out}/sound.mp4")
    expected[f"{out}/sound.mp4"] = ({"no-video"}, False)
    os.mkfifo(out + "/fifo.mp4")
    expected[f"{out}/fifo.mp4"] = ({"unreadable"}, False)
    os.symlink("nowhere", out + "/link.mp4")
    expected[f"{out}/link.mp4"] = ({"unreadable"}, False)
    return expected


def says_what_is_wrong_with_each_broken_file():
    need_elements("avenc_aac")
    with folder() as out:
        expected = write_broken(out)
        files, summary = tag(out + "/index", out)
        errors = read_errors(out + "/index")
        for name, (reasons, kept) in expected.items():
            assert name in errors, (name, files.get(name))
            row = errors[name]
            assert row["reason"] in reasons and row["kept"] == kept, row
        good = set(files) - set(expected)
        ends = ("mp4", "mkv", "ts", "avi")
        assert good == {f"{out}/good.{end}" for end in ends}, good
        assert all(files[name]["status"] == "tagged" for name in good), files
        assert summary["done"] == len(files), summary
        _, summary = tag(out + "/index", out)
        assert summary["tagged"] == summary["partial"] == 0, summary


# ---- Ends that nobody planned ----------------------------------------------

def goes_on_after_it_was_killed():
    videos, _ = example_videos()
    rng = random.Random(7)
    with folder() as out:
        args = (videos, "--labels", LABELS, "--jobs", 2)
        start = time.monotonic()
        tag(out + "/whole", *args)
        whole = time.monotonic() - start
        expected = dump(out + "/whole")
        for i in range(5):
            index = f"{out}/{i}"
            for _ in range(2):
                process = subprocess.Popen(
                    [PROGRAM, *map(str, args), "--out", index],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(rng.uniform(0, whole))
                process.kill()
                process.wait()
            tag(index, *args)
            assert dump(index) == expected, f"run {i} differs"
            run("verify", "--out", index)


def ends_in_order_when_it_is_told_to():
    videos, _ = example_videos()
    with folder() as out:
        args = (videos, "--jobs", 1)
        process = subprocess.Popen(
            [PROGRAM, *map(str, args), "--out", out, "--json"],
            stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if '"type": "file"' in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait() == 1, process.returncode
        assert '"type": "summary"' in rest, rest
        _, summary = tag(out, *args)
        assert summary["known"] >= 1 and summary["tagged"] >= 1, summary
        assert summary["broken"] == 0, summary


def lets_only_one_write():
    videos, _ = example_videos()
    with folder() as out:
        tag(out, videos)
        with open(out + "/lock", "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _, error = run(videos, "--out", out, status=1)
            assert "another process" in error, error
            run("stats", "--out", out)


def refuses_another_model():
    videos, _ = example_videos()
    with folder() as out:
        tag(out, videos)
        _, error = run(videos, "--out", out, "--model", TINY_MODEL, status=2)
        assert "pe-demo" in error and "--model" in error, error


def survives_a_full_disk():
    if os.geteuid() != 0:
        skip("only root may mount a small disk")
    videos, _ = example_videos()
    with folder() as out:
        disk = out + "/disk"
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none",
                           disk], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            skip("no disk can be mounted here")
        try:
            text, error = run(videos, "--out", disk + "/a", status=1)
            assert disk in error and "space" in error, error
            run("stats", "--out", disk + "/a")
            run("verify", "--out", disk + "/a")
            subprocess.run(["mount", "-o", "remount,size=50m", disk],
                           check=True)
            tag(disk + "/a", videos)
            tag(out + "/b", videos)
            assert dump(disk + "/a") == dump(out + "/b")
        finally:
            subprocess.run(["umount", disk], check=True)


# ---- Servers ---------------------------------------------------------------

class Server(http.server.BaseHTTPRequestHandler):
    data, etag, n_gets = b"", '"one"', 0

    def do_GET(self):
        Server.n_gets += 1
        start, end = 0, len(self.data)
        match = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match:
            start = int(match[1])
            end = int(match[2]) + 1 if match[2] else end
        self.send_response(206 if match else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", end - start)
        if match:
            self.send_header("Content-Range",
                             f"bytes {start}-{end - 1}/{len(self.data)}")
        self.send_header("ETag", self.etag)
        self.end_headers()
        try:
            self.wfile.write(self.data[start:end])
        except OSError:
            pass

    def log_message(self, *args):
        pass


def keeps_no_secret_of_a_presigned_uri():
    need_elements("souphttpsrc")
    secret = "Sgn4tureS3cret"
    with folder() as out:
        Server.data = pathlib.Path(write(out + "/a.mp4", "fog")).read_bytes()
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            place = f"http://127.0.0.1:{server.server_port}"
            args = (f"{place}/a.mp4?sig={secret}", )
            files, summary = tag(out + "/index", *args)
            assert summary["tagged"] == 1, files
            assert list(files) == [f"{place}/a.mp4"], files
            _, summary = tag(out + "/index", f"{place}/a.mp4?sig=other")
            assert summary["known"] == 1, summary
            Server.etag = '"two"'
            _, summary = tag(out + "/index", *args)
            assert summary["tagged"] == 1, summary
            Server.data = b"no video at all" * 99
            Server.etag = '"three"'
            tag(out + "/index", f"{place}/b.mp4?sig={secret}")
            server.shutdown()
        errors = read_errors(out + "/index")
        assert list(errors) == [f"{place}/b.mp4"], errors
        for path in pathlib.Path(out, "index").rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path


class HalfServer(http.server.BaseHTTPRequestHandler):
    """Sends the first half of one file, however often it is asked."""

    data = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Accept-Ranges", "none")
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        self.wfile.write(self.data[:len(self.data) // 2])

    def log_message(self, format, *args):
        pass


def keeps_what_came_before_a_connection_broke():
    need_elements("souphttpsrc", "mpegtsmux", "tsdemux")
    with folder() as out:
        HalfServer.data = pathlib.Path(
            write(out + "/a.ts", kind="h264.ts")).read_bytes()
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                             HalfServer) as server:
            threading.Thread(target=server.serve_forever).start()
            uri = f"http://127.0.0.1:{server.server_port}/a.ts"
            files, _ = tag(out + "/index", uri)
            server.shutdown()
        errors = read_errors(out + "/index")
        assert files[uri]["status"] == "partial", (files, errors)
        assert files[uri]["samples"] >= 2, files
        assert errors[uri]["reason"] == "unreadable", errors
        assert errors[uri]["kept"] and errors[uri]["position"] > 1, errors


TESTS = [
    waits_for_no_pipe,
    tells_usage_apart_from_failure,
    finds_known_scenes_at_their_times,
    finds_the_same_scenes_in_key_frames,
    relabels_without_the_videos,
    forgets_nothing_that_is_only_offline,
    tells_equal_heads_from_equal_files,
    links_equal_files_that_are_read_at_once,
    tags_what_has_changed_again,
    takes_a_list_and_odd_names,
    knows_when_names_say_it,
    knows_when_a_copy_was_recorded,
    draws_the_first_frame_of_a_video_that_begins_late,
    says_what_is_wrong_with_each_broken_file,
    goes_on_after_it_was_killed,
    ends_in_order_when_it_is_told_to,
    lets_only_one_write,
    refuses_another_model,
    survives_a_full_disk,
    keeps_no_secret_of_a_presigned_uri,
    keeps_what_came_before_a_connection_broke,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
