#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-eval on data that is not as it should be, and killed at any moment:
check_eval_hostile.py PE_EVAL

PE_TEST_EVAL_PICTURES says how many pictures the program that is killed has
(default 2000).
"""

import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from eval_data import NAMES, draw, new_rng, write_png

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import Folder, run_tests  # noqa: E402

PE_EVAL = sys.argv[1]
N_PICTURES = int(os.environ.get("PE_TEST_EVAL_PICTURES", 600))
HEADER, RECORD = 256, 32 + 128 * 4 + 8  # bytes of vectors.bin, demo model


def run(*args, env=None):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([PE_EVAL, *map(str, args)], capture_output=True,
                          env={**os.environ, **(env or {})}, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def draw_folders(folder, names=tuple(NAMES[:4])):
    for number, name in enumerate(names):
        for i in range(2):
            write_png(folder / name / f"{i}.png",
                      draw(NAMES[number], new_rng(10 * number + i)))


def expect_failure(words, *args, env=None):
    status, out, err = run(*args, env=env)
    assert status == 1, (status, out, err)
    for word in words:
        assert word in err, f"no {word!r} in {err!r}"


def tells_usage_apart_from_failure(folder):
    for args in [(), ("frobnicate", folder), ("classify",), ("retrieve",),
                 ("classify", "a", "b"), ("classify", "a", "--jobs", "-1"),
                 ("classify", "a", "--video", "--frames", "0"),
                 ("retrieve", "a", "--classes", "b"), ("classify", "--frob")]:
        status, out, err = run(*args)
        assert (status, out) == (2, ""), (args, status, out)
        assert "--help" in err, err
    status, out, _ = run("--help")
    assert status == 0 and "Exit status" in out


def names_what_is_wrong_with_folders(folder):
    out = ("--out", folder / "out")
    expect_failure(["nowhere"], "classify", folder / "nowhere", *out)
    (folder / "empty").mkdir()
    expect_failure(["empty", "no folders", "for each class"], "classify",
                   folder / "empty", *out)
    (folder / "empty" / "a class").mkdir()
    expect_failure(["found no picture", "--video"], "classify",
                   folder / "empty", *out)
    draw_folders(folder / "val")
    (folder / "classes.txt").write_text("\n".join(NAMES[:3]))
    expect_failure([NAMES[3], "3 classes", "--classes"], "classify",
                   folder / "val", "--classes", folder / "classes.txt", *out)
    # A folder without a picture is told, and the others count.
    (folder / "val" / "yellow ring").mkdir()
    status, text, err = run("classify", folder / "val", "--json", *out)
    assert status == 0 and "yellow ring: no picture in it" in err, err
    last = json.loads(text)["per-class"][-1]
    assert last == {"id": "yellow ring", "name": "yellow ring", "n": 0,
                    "top1": None, "auroc": None}, last


def names_what_is_wrong_with_words(folder):
    draw_folders(folder / "val")
    words = folder / "words.txt"
    out = ("--out", folder / "out")
    for text, option, expected in [
            ("", "--classes", ["no class", "id<tab>name"]),
            ("", "--templates", ["no template"]),
            ("a photo.\n", "--templates", ["template 1", "a photo.", "{}"])]:
        words.write_text(text)
        expect_failure(["words.txt", *expected], "classify", folder / "val",
                       option, words, *out)
    for text, spec, expected in [
            ("[1, 2]", "words.json", ["other JSON"]),
            ("{", "words.json", ["words.json"]),
            ('{"a": ["b"]}', "words.json:c", ['no key "c"'])]:
        (folder / "words.json").write_text(text)
        expect_failure(expected, "classify", folder / "val", "--classes",
                       folder / spec, *out)
    # A python3 that has no packages.
    fake = folder / "bin"
    fake.mkdir()
    (fake / "python3").write_text("#!/bin/sh\nexit 3\n")
    (fake / "python3").chmod(0o755)
    env = {"PATH": f"{fake}:{os.environ['PATH']}"}
    expect_failure(["python3 -m pip install", "open_clip_torch"], "classify",
                   folder / "val", "--templates", "imagenet", *out, env=env)
    expect_failure(["python3 -m pip install", "clip-benchmark"], "classify",
                   folder / "val", "--classes", "imagenet-a", *out, env=env)
    expect_failure(["folder_to_objectnet_label.json", "mappings/"], "classify",
                   folder / "val", "--classes", "objectnet", *out)


def names_line_found_and_expected_of_lists(folder):
    draw_folders(folder / "val")
    path = f"val/{NAMES[0]}/0.png"
    table = folder / "list.csv"
    for command, text, expected in [
            ("classify", "", ["empty", "names of the columns"]),
            ("classify", "file,kind\na,b\n",
             ["line 1", '"file", "kind"', '"path"']),
            ("classify", f"path,kind\n{path},b\n",
             ["line 1", '"path", "kind"', '"class" or "label"']),
            ("classify", f"path,class\n\n{path}\n",
             ["line 3", "1 field", "expected 2"]),
            ("classify", f'path,class\n{path},"a\n',
             ["line 2", "never closed"]),
            ("classify", "youtube_id,time_start,label\na,1,b\n",
             ["line 1", '"time_end"']),
            ("retrieve", f"path,text\n{path},b\n",
             ["line 1", '"path", "text"', '"caption"']),
            ("retrieve", f"path,caption\n{path},\n",
             ["line 2", "empty caption"]),
            ("retrieve", "path,caption\n", ["no file with a caption"])]:
        table.write_text(text)
        expect_failure(["list.csv", *expected], command, table, "--out",
                       folder / "out")
    table.write_bytes(b"path,class\n\xff,b\n")
    expect_failure(["list.csv", "UTF-8"], "classify", table)
    table.write_text(f"path,class\n{path},cow\n")
    (folder / "classes.txt").write_text(NAMES[0])
    expect_failure(["list.csv", "line 2", '"cow"', "1 classes"], "classify",
                   table, "--classes", folder / "classes.txt")
    data = folder / "list.json"
    for text, expected in [
            ("[]", ["COCO", "MSR-VTT"]), ("{", ["list.json"]),
            ('{"images": [3]}', ['"images"[0]', '"file_name"']),
            ('{"images": [], "annotations": [{"caption": "a"}]}',
             ['"annotations"[0]', '"image_id"']),
            ('{"videos": [{}], "sentences": []}', ['"video_id"'])]:
        data.write_text(text)
        expect_failure(["list.json", *expected], "retrieve", data)


def counts_and_names_unreadable_files(folder):
    draw_folders(folder / "val")
    good = folder / "val" / NAMES[0]
    data = (good / "0.png").read_bytes()
    (good / "cut.png").write_bytes(data[:len(data) // 2])
    (good / "no picture.jpg").write_text("nothing")
    (good / "notes.txt").write_text("left out")
    (good / "gone.png").symlink_to("nowhere")
    args = ("classify", folder / "val", "--out", folder / "out", "--json")
    status, text, err = run(*args)
    report = json.loads(text)
    assert status == 1, err
    names = sorted(pathlib.Path(s["path"]).name for s in report["skipped"])
    assert names == ["cut.png", "gone.png", "no picture.jpg"], names
    for name in names:
        assert f"{name}: " in err, err
    assert "3 of 11 files" in err, err
    assert report["evaluated"] == 8 and report["left-out"] == 1
    assert all(s["reason"] for s in report["skipped"])
    assert run(*args, "--skip-bad")[0] == 0
    # When nothing is left, nothing was measured.
    for path in (folder / "val").rglob("[01].png"):
        path.unlink()
    expect_failure(["none of the 3 files"], *args)


def escapes_what_it_shows(folder):
    evil = '<b onclick="x">&'
    write_png(folder / "val" / evil / "0.png", draw(NAMES[0], new_rng(1)))
    write_png(folder / "val" / "a" / "0.png", draw(NAMES[1], new_rng(1)))
    (folder / "val" / evil / "<i>.png").write_text("no picture")
    assert run("classify", folder / "val", "-o", folder / "out")[0] == 1
    page = (folder / "out" / "report.html").read_text()
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;" in page
    assert "<b" not in page.replace("<body", "") and "<i>" not in page
    for pattern in ("http", "src=", "url\\(", "@import", "<script", "href="):
        assert not re.search(pattern, page), pattern
    for word in ("Reliability", "Confusion", "Classes", "<svg"):
        assert word in page, word


# ---- The vectors that are finished -----------------------------------------

def refuses_vectors_of_something_else(folder):
    draw_folders(folder / "val")
    args = ("classify", folder / "val", "--out", folder / "out")
    assert run(*args)[0] == 0
    vectors = folder / "out" / "vectors.bin"
    data = vectors.read_bytes()
    found = re.search(rb"model ([0-9a-f]{16})", data)[1]
    vectors.write_bytes(data.replace(found, b"0" * 16, 1))
    expect_failure(["vectors.bin", "0" * 16, found.decode(), "--out"], *args)
    vectors.write_bytes(b"x" * 1000)
    expect_failure(["vectors.bin", "something else"], *args)
    vectors.unlink()
    assert run(*args)[0] == 0
    with open(vectors, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        expect_failure(["vectors.bin", "another process"], *args)


def makes_damaged_and_changed_vectors_again(folder):
    draw_folders(folder / "val")
    args = ("classify", folder / "val", "--out", folder / "out", "--json")
    _, first, _ = run(*args)
    vectors = folder / "out" / "vectors.bin"
    data = vectors.read_bytes()
    n = (len(data) - HEADER) // RECORD
    assert len(data) == HEADER + n * RECORD and n == 12, (len(data), n)
    at = HEADER + 5 * RECORD + 100
    vectors.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:-7])
    status, second, err = run(*args)
    assert status == 0 and "1 damaged" in err and "10 vectors" in err, err
    assert ({**json.loads(second), "notes": []}
            == {**json.loads(first), "notes": []})
    # A file that has changed is another.
    path = folder / "val" / NAMES[0] / "0.png"
    write_png(path, draw(NAMES[7], new_rng(5)))
    _, third, err = run(*args)
    figures = [json.loads(t)["confusion"] for t in (first, third)]
    assert figures[0] != figures[1], figures
    assert "damaged" not in err, "damage is told once"
    for size in (0, 100, HEADER, HEADER + 3):
        vectors.write_bytes(data[:size])
        _, fourth, _ = run(*args)
        assert json.loads(fourth) == json.loads(third), size


def write_ppm(path, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 8 8 255\n" + rng.randbytes(192))


def goes_on_after_it_was_killed(folder):
    rng = new_rng(8)
    for i in range(N_PICTURES):
        write_ppm(folder / "val" / NAMES[i % 10] / f"{i}.ppm", rng)
    args = [PE_EVAL, "classify", str(folder / "val"), "--json"]
    whole = folder / "whole" / "report.json"
    started = time.monotonic()
    subprocess.run([*args, "--out", whole.parent], check=True,
                   stdout=subprocess.DEVNULL)
    print(f"# {N_PICTURES} pictures, {time.monotonic() - started:.1f} s")
    out = folder / "out"
    vectors = out / "vectors.bin"
    size = HEADER + (N_PICTURES + 10) * RECORD  # with 10 texts
    n_killed = kept = 0
    for share in (0, .2, .5, .8):
        child = subprocess.Popen([*args, "--out", out],
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        while child.poll() is None and not (
                vectors.exists() and vectors.stat().st_size >= share * size):
            time.sleep(.002)
        child.send_signal(signal.SIGKILL)
        if child.wait() != -signal.SIGKILL:
            continue  # it was faster
        before, kept = kept, 0
        if vectors.exists():  # maybe without its header so far
            kept = max(0, (vectors.stat().st_size - HEADER) // RECORD)
        print(f"# killed with {kept} vectors")
        assert kept >= before and not (out / "report.json").exists()
        n_killed += HEADER + kept * RECORD < size
    assert n_killed > 0, "it was never killed at work"
    done = subprocess.run([*args, "--out", out], check=True,
                          capture_output=True, text=True)
    assert "pe-eval: goes on with the " in done.stderr, done.stderr
    assert (out / "report.json").read_bytes() == whole.read_bytes()
    assert vectors.stat().st_size == size, vectors.stat().st_size


if __name__ == "__main__":
    sys.exit(run_tests([
        tells_usage_apart_from_failure, names_what_is_wrong_with_folders,
        names_what_is_wrong_with_words, names_line_found_and_expected_of_lists,
        counts_and_names_unreadable_files, escapes_what_it_shows,
        refuses_vectors_of_something_else,
        makes_damaged_and_changed_vectors_again, goes_on_after_it_was_killed,
    ], Folder))
