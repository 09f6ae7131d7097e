#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-search from the outside, as a TAP test:
check_pe_search.py PE_TAG PE_SEARCH TINY_MODEL
"""

import ast
import base64
import contextlib
import csv
import functools
import html.parser
import io
import json
import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys

import tagging
from make_archive import HEIGHT, WIDTH, launch
from tagging import (LABELS, PATIENCE, example_videos, folder, need_elements,
                     run_tests, scenes, skip, tag)

TAG, SEARCH, TINY_MODEL = sys.argv[1:4]
run = functools.partial(tagging.run, SEARCH)
# Of the model's words, and of words that it has never heard; none is shown.
ABSENT = (
    "a blue square", "a road with cars", "static noise", "a green triangle",
    "a desert", "mountains", "two yellow hearts", "rain", "a living room",
    "a purple cross", "a football pitch", "a beach", "a dog",
    "a person riding a bicycle", "an airplane in the sky",
    "a black cat on a sofa", "fireworks", "a crowd of people", "a factory",
    "an orange ring", "falling snow", "a black and white photo", "a kitchen",
    "four green circles", "a purple heart", "four red squares", "sand dunes",
    "a soccer field", "high mountains", "the seaside", "a helicopter",
    "a wedding", "a penguin", "a bowl of soup", "a grey ramp",
    "a grid of lines")
# What scenes of these names show besides (models/train/make_demo.py).
BEHIND = {
    "a forest": "fog", "train tracks": "an upside-down picture",
    "tall buildings": "a view at night",
    "a stone bridge": "an out of focus picture"}


def archive():
    """(folder, truth) of an archive that no test changes."""
    if "archive" not in tagging.SHARED:
        videos, truth = example_videos()
        out = str(videos / "index")
        tag(TAG, out, videos, "--labels", LABELS)
        tagging.SHARED["archive"] = out
    return tagging.SHARED["archive"], example_videos()[1]


def search(*args, out=None, status=0):
    text, _ = run("-a", out or archive()[0], "--json", *args, status=status)
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1]["moments"] == len(lines) - 1, lines
    return lines[:-1]


def overlap(a, b):
    """Of two stretches: how long both, in how long either."""
    both = min(a["end"], b["end"]) - max(a["start"], b["start"])
    return max(both, 0) / (max(a["end"], b["end"]) - min(a["start"], b["start"]))


def is_right(moment, truth, label):
    return any(row["file"] == moment["name"] and row["label"] == label and
               overlap(row, moment) >= .5 for row in truth)


def tells_usage_apart_from_failure():
    run("fog", status=2)
    with folder() as out:
        run("-a", out, status=2)
        run("-a", out, "fog", status=2)
        run("-a", out, "fog", "--export", "doc", status=2)
        run("-a", out, "fog", "--since", "soon", status=2)
        run("-a", out, "fog", "--time-of-day", "25:00-26:00", status=2)
        run("-a", out, "0:fog", status=2)
        _, err = run("-a", out, "fog", "--json", "--export", "csv", status=2)
        assert "--export" in err, err


def finds_known_moments_by_text():
    _, truth = archive()
    labels = sorted({row["label"] for row in truth})
    first = top = 0
    for label in labels:
        moments = search(label, "--top", 5)
        right = [is_right(m, truth, label) for m in moments]
        first += right[:1] == [True]
        top += any(right)
        for i, a in enumerate(moments):
            assert all(a["name"] != b["name"] or overlap(a, b) == 0
                       for b in moments[:i]), moments
    print(f"# of {len(labels)} scenes, {first} first (limit 90 %), {top} of the "
          "first five (limit 98 %)")
    assert first >= .9 * len(labels) and top >= .98 * len(labels)


def finds_nothing_that_is_not_there():
    found = [text for text in ABSENT if search(text)]
    print(f"# of {len(ABSENT)} absent things, {len(found)} found (limit 5 %): "
          f"{found}")
    assert len(found) <= .05 * len(ABSENT)
    assert "no match" in run("-a", archive()[0], ABSENT[0])[0]


def finds_what_scenes_show_besides_their_names():
    out, truth = archive()
    labels = {row["label"] for row in truth}
    n = 0
    for text, label in BEHIND.items():
        if label not in labels:
            continue
        n += 1
        first = search(text)[0]
        assert is_right(first, truth, label), (text, first)
        part, = first["parts"]
        assert part["cosine"] < 1 and part["score"] == first["score"], part
        assert abs(part["score"] - part["sigmas"] - (
            min(part["log-odds"], 2) + 1) / 2) < 1e-3, part
    assert n > 1, labels
    assert "log-odds" in run("-a", out, truth[0]["label"], "--explain")[0]


def finds_what_looks_like_a_picture():
    need_elements("pngenc")
    _, truth = archive()
    with folder() as out:
        for label in {row["label"] for row in truth}:
            path = os.path.join(out, "a.png")
            launch(f"fdsrc blocksize={WIDTH * HEIGHT * 3} ! rawvideoparse "
                   f"format=rgb width={WIDTH} height={HEIGHT} framerate=1/1 ! "
                   f"pngenc snapshot=true ! filesink location={path}",
                   scenes()[label][5])
            assert is_right(search("--image", path)[0], truth, label), label


def finds_what_is_like_a_moment():
    _, truth = archive()
    for row in truth[:6]:
        at = (row["start"] + row["end"]) / 2
        moment = search("--like", f"{row['file']}@{at}")[0]
        assert is_right(moment, truth, row["label"]), (row, moment)
    run("-a", archive()[0], "--like", "/nowhere.mp4@1", status=2)
    for time in ("1000", "inf", "nan"):
        _, err = run("-a", archive()[0], "--like", f"{row['file']}@{time}",
                     status=2)
        assert "--like" in err and row["file"] in err, err


def goes_on_from_the_hits_of_the_last_search():
    out, truth = archive()
    with folder() as state:
        env = {**os.environ, "XDG_STATE_HOME": state}

        def find(*args, where=out, status=0):
            return run("-a", where, "--json", *args, env=env, status=status)
        assert "--like-hit 1" in find("--like-hit", 1, status=2)[1]
        first = [json.loads(line) for line in
                 find(truth[0]["label"])[0].splitlines()]
        assert "had " + str(len(first) - 1) in find(
            "--like-hit", len(first), status=2)[1]
        find(ABSENT[0])  # finds nothing, and forgets nothing
        again, = [moment for moment in map(json.loads, find(
            "--like-hit", 1)[0].splitlines())
                  if moment.get("row") == first[0]["row"]]
        assert again["parts"][0]["cosine"] > .999, again
        # By another name it is the same archive, but not from elsewhere.
        find("--like-hit", 1, where=out + "/../index/")
        for wrong in "0", "-1", "x", "1.5", "99999999999":
            assert wrong in find("--like-hit", wrong, status=2)[1]
        path, = pathlib.Path(state, "gst-perception-encoder/hits").iterdir()
        path.write_text("frob\n")
        assert str(path) in find("--like-hit", 1, status=2)[1]
        # Without a place to remember them, hits are told all the same.
        env["XDG_STATE_HOME"] = "/dev/null"
        text, err = find(truth[0]["label"])
        assert len(text.splitlines()) == len(first) and "--like-hit" in err


def joins_and_leaves_out_parts():
    label = archive()[1][0]["label"]
    other = next(row["label"] for row in archive()[1] if row["label"] != label)
    assert search(label) and search(other)
    assert not search(label, "--not", label)
    assert not search(label, "--and", other)
    assert search("2:" + label, "--not", other) == search(
        "2:" + label, "--not", other), "not the same twice"
    parts = search(label, "--not", other)[0]["parts"]
    assert [p["unwanted"] for p in parts] == [False, True], parts


def looks_where_it_is_told():
    out, truth = archive()
    row = truth[0]
    everywhere = search(row["label"], "--top", 100)
    inside = search(row["label"], "--in", row["file"], "--top", 100)
    assert inside == [m | {"rank": i + 1} for i, m in enumerate(
        m for m in everywhere if m["name"] == row["file"])] or inside
    assert {m["name"] for m in inside} == {row["file"]}, inside
    for more in ((), ("--in", row["file"])):
        _, err = run("-a", archive()[0], row["label"], *more, "--in",
                     "/nowhere", status=2)
        assert "--in /nowhere: none of the 4 file(s)" in err, err
    here = pathlib.Path(row["file"]).parent.name
    assert len(search(row["label"], "--camera", here, "--top", 100)) == len(
        everywhere)
    assert not search(row["label"], "--camera", "gate")
    assert len(search(row["label"], "--top", 1)) == 1
    names = [m["name"] for m in search(row["label"], "--per-file", 1)]
    assert len(names) == len(set(names)), names
    del out


def looks_in_files_with_the_words():
    out, truth = archive()
    row = truth[0]
    moments = search(row["label"], "--top", 100)

    def names(words, *more):
        return {m["name"] for m in search(row["label"], "--words", words,
                                          "--top", 100, *more)}
    every = {m["name"] for m in moments}
    assert len(every) > 1, moments
    for name in every:
        assert names(pathlib.Path(name).name) == {name}
    assert names("MP4") == {n for n in every if n.endswith(".mp4")}
    # What it shows is among its words, too.
    for label in sorted({r["label"] for r in truth}):
        assert names(label) >= every & {
            r["file"] for r in truth if r["label"] == label}, label
    for wrong in "nowhere", "mp4 nowhere", "--", "":
        _, err = run("-a", out, row["label"], "--words", wrong, status=2)
        assert "--words" in err or "no words" in err, err


def reads_an_index_without_words_until_it_has_some():
    out, truth = archive()
    label, name = truth[0]["label"], pathlib.Path(truth[0]["file"]).name
    with folder() as copy:
        index = shutil.copytree(out, copy + "/index")
        with contextlib.closing(sqlite3.connect(
                index + "/index.sqlite", isolation_level=None)) as database:
            database.execute("DROP TABLE words")
            database.execute("DROP TABLE texts")
        before = tagging.dump(TAG, index)
        assert search(label, out=index) == search(label)
        _, err = run("-a", index, label, "--words", name, status=2)
        assert "pe-tag" in err, err
        tagging.run(TAG, "prune", "--out", index)
        assert search(label, "--words", name, out=index) == search(
            label, "--words", name)
        assert tagging.dump(TAG, index) == before
        tagging.run(TAG, "verify", "--out", index)
        # New labels are new words.
        with open(copy + "/labels.json", "w", encoding="utf-8") as labels:
            json.dump([{"name": "zebra", "prompts": [label]}, "a dog"], labels)
        tagging.run(TAG, "relabel", "--out", index, "--labels",
                    copy + "/labels.json")
        assert search(label, "--words", "zebra", out=index)
        run("-a", index, label, "--words", label, status=2)
        tagging.run(TAG, "verify", "--out", index)


def looks_when_it_is_told():
    videos, truth = example_videos()
    row = next(r for r in truth if r["start"] > 0)
    env = {**os.environ, "TZ": "UTC"}
    with folder() as out:
        path = os.path.join(out, "gate_20240701-223000.mp4")
        shutil.copy(row["file"], path)
        tag(TAG, out + "/index", path, "--time-from-name", "_%Y%m%d-%H%M%S",
            env=env)

        def count(*args):
            text, _ = run("-a", out + "/index", row["label"], "--json", *args,
                          env=env)
            return len(text.splitlines()) - 1
        assert count("--since", "2024-07-01", "--until", "2024-07-02") == 1
        assert count("--since", "2024-07-02") == 0
        assert count("--until", "2024-07-01T22:30") == 0
        assert count("--since", "2024-07-01T22:29:00Z") == 1
        assert count("--time-of-day", "22:00-06:00") == 1
        assert count("--time-of-day", "06:00-22:00") == 0
        timeless = os.path.join(out, "a.avi")
        shutil.copy(videos / "003.mjpeg.avi", timeless)
        tag(TAG, out + "/other", timeless)
        _, error = run("-a", out + "/other", row["label"], "--since",
                       "2024-07-01", status=2)
        assert "--time-from-name" in error, error


def writes_what_other_programs_read():
    out, truth = archive()
    label = truth[0]["label"]
    moments = search(label)
    rows = list(csv.DictReader(io.StringIO(
        run("-a", out, label, "--export", "csv")[0])))
    assert [r["file"] for r in rows] == [m["name"] for m in moments]
    assert abs(float(rows[0]["start"]) - moments[0]["start"]) < .01
    assert json.loads(run("-a", out, label, "--export", "json")[0]) == moments
    vtt = run("-a", out, label, "--export", "vtt")[0]
    assert vtt.startswith("WEBVTT\n\n") and vtt.count(" --> ") == len(moments)
    edl = run("-a", out, label, "--export", "edl")[0]
    assert edl.count("* FROM CLIP NAME: ") == len(moments)
    play = run("-a", out, label, "--play")[0]
    assert play.startswith("gst-play-1.0 --start-position="), play


def read_npy(data):
    """(shape, values) by the specification of the format."""
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    length, = struct.unpack("<H", data[8:10])
    assert (10 + length) % 64 == 0 and data[9 + length:10 + length] == b"\n"
    header = ast.literal_eval(data[10:10 + length].decode())
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    n, dim = header["shape"]
    return (n, dim), struct.unpack(f"<{n * dim}f", data[10 + length:])


def writes_vectors_for_numpy():
    out, truth = archive()
    label = truth[0]["label"]
    with folder() as other:
        path = os.path.join(other, "a.npy")

        def write(*args):
            with open(path, "wb") as file:
                subprocess.run([SEARCH, "-a", out, *args, "--export", "npy"],
                               stdout=file, check=True, timeout=PATIENCE)
            return read_npy(pathlib.Path(path).read_bytes())
        shape, values = write(label)
        n, dim = shape
        assert n == len(search(label)) > 1 and dim >= 64, shape
        for i in range(n):
            length = sum(v * v for v in values[i * dim:(i + 1) * dim])
            assert abs(length - 1) < .01, length
        # The first of two like it is itself.
        like, _ = search("--like", f"{truth[0]['file']}@1", "--top", 2)
        assert like["parts"][0]["cosine"] > .999
        _, own = write("--like", f"{truth[0]['file']}@1", "--top", "1")
        assert abs(sum(v * v for v in own) - 1) < .01
        try:
            import numpy
            write(label)
            array = numpy.load(path)
            assert array.shape == shape and array.ravel().tolist() == list(
                values)
        except ImportError:
            print("# no numpy here: read by this test alone")
        shape, values = write(ABSENT[0])
        assert shape == (0, dim) and not values, shape


def writes_a_timeline_for_editors():
    out, truth = archive()
    label = truth[0]["label"]
    moments = search(label)
    text = run("-a", out, label, "--export", "otio")[0]
    timeline = json.loads(text)
    assert timeline["OTIO_SCHEMA"] == "Timeline.1"
    track, = timeline["tracks"]["children"]
    assert len(track["children"]) == len(moments), track
    try:
        import opentimelineio as otio
    except ImportError:
        skip("there is no Python package opentimelineio")
    read = otio.adapters.read_from_string(text, "otio_json")
    for clip, moment in zip(read.tracks[0], moments):
        part, media = clip.source_range, clip.media_reference
        assert abs(part.start_time.to_seconds() - moment["start"]) <= .04
        end = part.end_time_exclusive().to_seconds()
        assert abs(end - moment["end"]) <= .04, (end, moment)
        assert media.target_url == pathlib.Path(moment["name"]).as_uri()
        assert media.available_range.duration.to_seconds() >= end - .04
        assert clip.metadata["pe-search"]["score"] == moment["score"]
        mark = clip.markers[0].marked_range.start_time.to_seconds()
        assert abs(mark - moment["peak"]) <= .04, mark


def shows_a_sheet_in_the_terminal():
    out, truth = archive()
    label = truth[0]["label"]
    with folder() as empty:
        _, err = run("-a", out, label, "--sheet", status=2,
                     env={**os.environ, "PATH": empty})
        assert "chafa" in err and "not installed" in err, err
        broken = pathlib.Path(empty, "chafa")
        broken.write_text("#!/bin/sh\nexit 3\n")
        broken.chmod(0o755)
        _, err = run("-a", out, label, "--sheet", status=1,
                     env={**os.environ, "PATH": empty})
        assert "chafa could not" in err, err
    run("-a", out, label, "--sheet", "--json", status=2)
    if not shutil.which("chafa"):
        skip("there is no chafa")
    moments = search(label)
    table = run("-a", out, label)[0]
    text = run("-a", out, label, "--sheet")[0]
    assert text.startswith(table), text
    sheet = text[len(table):]
    assert "\033" not in sheet, "colours, but no terminal"
    # Blocks of 9 lines, with three pictures each, and two lines of captions.
    rows = sheet.rstrip("\n").split("\n\n\n")[0].splitlines()
    assert len(rows) >= 11 and max(map(len, rows)) <= 80, sheet
    assert len(set(sheet) - set(" \n")) > 20, "no picture"
    for i, moment in enumerate(moments, 1):
        assert f"{i}  {moment['score']:.1f}  " in sheet, sheet


class Page(html.parser.HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attrs = dict(attrs)
        assert not any(name.startswith("on") for name in attrs), attrs
        if "src" in attrs:
            self.sources.append((tag, attrs["src"]))

    def handle_data(self, data):
        self.text += data


def writes_a_page_that_no_name_can_break():
    _, truth = archive()
    row = truth[0]
    name = "<script>alert(1)<script>\"'&#x3c;$(x).mp4"
    with folder() as out:
        shutil.copy(row["file"], os.path.join(out, name))
        tag(TAG, out + "/index", out, "--labels", LABELS)
        path = pathlib.Path(out, "found.html")
        run("-a", out + "/index", row["label"], "--html", path)
        page = Page(path.read_text())
    assert "script" not in page.tags and name in page.text, page.text
    kinds = {tag: source for tag, source in page.sources}
    assert set(kinds) == {"img", "video"}, page.sources
    assert kinds["video"].startswith("file:///") and "#t=" in kinds["video"]
    head, picture = kinds["img"].split(",")
    assert head == "data:image/jpeg;base64", head
    assert base64.b64decode(picture).startswith(b"\xff\xd8"), "no JPEG"
    assert page.tags.count("details") == page.tags.count("svg") == 1, page.tags


def cuts_out_what_it_has_found():
    out, truth = archive()
    labels = [truth[0]["label"], truth[1]["label"]]
    for label in labels:
        with folder() as clips:
            moments = search(label, "--save-clips", clips)
            names = sorted(os.listdir(clips))
            assert len(names) == len(moments), (names, moments)
            files, _ = tag(TAG, clips + "/index", clips, "--labels", LABELS)
            for moment, name in zip(moments, names):
                line = files[f"{clips}/{name}"]
                seen = [s["labels"][0]["label"] for s in line["segments"]]
                assert label in seen, (name, seen)
                # Key frames are five seconds apart.
                length = moment["end"] - moment["start"]
                assert -.2 <= line["duration"] - length <= 5.1, (line, moment)
    del out


def says_which_clip_it_could_not_cut():
    _, truth = archive()
    with folder() as out:
        path = os.path.join(out, "a.mp4")
        shutil.copy(truth[0]["file"], path)
        tag(TAG, out + "/index", path)
        os.unlink(path)
        _, error = run("-a", out + "/index", truth[0]["label"], "--save-clips",
                       out + "/clips", status=1)
        assert path in error and "1 of 1" in error, error


def refuses_another_model():
    _, error = run("-a", archive()[0], "fog", "--model", TINY_MODEL, status=2)
    assert "pe-demo" in error, error


TESTS = [
    tells_usage_apart_from_failure,
    finds_known_moments_by_text,
    finds_nothing_that_is_not_there,
    finds_what_scenes_show_besides_their_names,
    finds_what_looks_like_a_picture,
    finds_what_is_like_a_moment,
    goes_on_from_the_hits_of_the_last_search,
    joins_and_leaves_out_parts,
    looks_where_it_is_told,
    looks_in_files_with_the_words,
    reads_an_index_without_words_until_it_has_some,
    looks_when_it_is_told,
    writes_what_other_programs_read,
    writes_vectors_for_numpy,
    writes_a_timeline_for_editors,
    shows_a_sheet_in_the_terminal,
    writes_a_page_that_no_name_can_break,
    cuts_out_what_it_has_found,
    says_which_clip_it_could_not_cut,
    refuses_another_model,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
