#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shards of an archive and their merge, as a TAP test:
check_pe_scale.py PE_TAG TINY_MODEL
"""

import functools
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import sharding
import tagging
from sharding import PATIENCE, SCENES, SLOW, VideoServer, end_process, start
from tagging import LABELS, folder, read_errors, run_tests, scenes, skip
from make_archive import write_video

PROGRAM, TINY_MODEL = sys.argv[1:3]
run = functools.partial(tagging.run, PROGRAM)
merge = functools.partial(sharding.merge, PROGRAM)
tag_shards = functools.partial(sharding.tag_shards, PROGRAM)


def write(path, *labels, kind=None):
    write_video(path, [(label, 1) for label in labels], scenes(), kind)
    return str(path)


def write_archive(videos):
    """Videos of several kinds, two of which have the same bytes, one that is
    broken, and one that is cut.
    """
    videos.mkdir()
    for i in range(4):
        write(videos / f"gate_2024070{i + 1}-120000.mp4", SCENES[i],
              SCENES[i - 1])
    for i in range(3):
        write(videos / f"{i}.mkv", *SCENES[i:i + 2], kind="bframes.mkv")
    data = (videos / "gate_20240701-120000.mp4").read_bytes()
    (videos / "copy.mp4").write_bytes(data)
    (videos / "broken.mp4").write_bytes(b"no video at all\n" * 99)
    (videos / "cut.mkv").write_bytes((videos / "0.mkv").read_bytes()[:20000])
    return videos


# ---- The plan --------------------------------------------------------------

def lists_the_longest_first():
    with folder() as out:
        odd = os.path.join(os.fsencode(out), b"v", b"a \xff\t'$(x).mp4")
        os.mkdir(out + "/v")
        pathlib.Path(os.fsdecode(odd)).write_bytes(b"x" * 30)
        pathlib.Path(out, "v", "b.mp4").write_bytes(b"x" * 300)
        plan, _ = run("plan", out + "/v", out + "/nothing.mp4")
        lines = [line.split("\t") for line in plan.splitlines()]
        assert lines[0] == ["uri", "size", "etag"], lines
        assert [line[1] for line in lines[1:-1]] == ["300", "30", ""], lines
        assert lines[-1] == ["#end", "3"], lines
        pathlib.Path(out, "plan.tsv").write_text(plan)
        tag_shards(out + "/plan.tsv", out + "/s", 2)
        broken = [set(read_errors(f"{out}/s/{i}")) for i in range(2)]
        assert sorted(map(len, broken)) == [1, 2], broken
        assert not broken[0] & broken[1], broken
        _, err = run("plan", "-", input=b"http://h/a\t2024-01-01\n", status=2)
        assert "tab" in err, err


def refuses_wrong_options():
    with folder() as out:
        pathlib.Path(out, "plan.tsv").write_text("file:///a\tten\n")
        plan = ("--list", out + "/plan.tsv", "--out", out + "/a")
        for shard in ("4/4", "-1/4", "1", "a/b", "1/2x", "0/0"):
            _, err = run(*plan, "--shard", shard, status=2)
            assert "--shard" in err, err
        assert "plan.tsv:1" in run(*plan, status=2)[1]
        assert "--list" in run("x.mp4", "--shard", "0/1", "--out", out,
                               status=2)[1]
        assert "--list" in run(*plan, "x.mp4", status=2)[1]
        run("plan", status=2)
        run("merge", "--out", out + "/m", status=2)
        run("merge", out, status=2)
        run("--list", out + "/none.tsv", "--out", out + "/a", status=2)
        pathlib.Path(out, "plan.tsv").write_bytes(b"file:///a\t1\n\0\0\n")
        assert "zero" in run(*plan, status=2)[1]


def tries_again_what_was_out_of_reach():
    with folder() as out:
        pathlib.Path(out, "plan.tsv").write_text('http://127.0.0.1:1/a.mp4\t5\t"e"\n')
        for _ in range(2):
            text, _ = run("--list", out + "/plan.tsv", "--out", out + "/a")
            assert " 0 known" in text, text
            reason, = (e["reason"] for e in read_errors(out + "/a").values())
            assert reason == "unreadable", reason


def overwrites_nothing_that_is_not_a_merge_s():
    with folder() as out:
        pathlib.Path(out, "plan.tsv").write_text(f"file://{out}/none.mp4\n")
        tag_shards(out + "/plan.tsv", out, 1)
        kept = pathlib.Path(out, "m.part", "kept")
        kept.parent.mkdir()
        kept.write_text("mine")
        assert "in the way" in run("merge", out + "/0", "--out", out + "/m",
                                   status=2)[1]
        assert kept.read_text() == "mine"
        kept.rename(out + "/kept")
        (kept.parent / "MERGING").touch()
        (kept.parent / "chapters").mkdir()
        run("merge", out + "/0", "--out", out + "/m")
        left = {path.name for path in pathlib.Path(out, "m").iterdir()}
        assert not left & {"MERGING", "chapters"}, left


def believes_what_a_plan_says():
    with VideoServer(2) as server, folder() as out:
        server.write_plan(PROGRAM, out + "/plan.tsv")
        tag_shards(out + "/plan.tsv", out, 1)
        assert server.asked, "nobody has read them"
        server.asked.clear()
        text, _ = run("--list", out + "/plan.tsv", "--out", out + "/0")
        assert " 2 known" in text and not server.asked, (text, server.asked)


def says_when_a_url_has_expired():
    past = {"s3": "X-Amz-Date=20240102T030405Z&X-Amz-Expires=60",
            "old": "AWSAccessKeyId=a&Expires=1704164705",
            "google": "x-goog-date=20240102T030405Z&x-goog-expires=60",
            "azure": "sp=r&se=2024-01-02T03%3A05%3A05Z&sig=s"}
    other = {"valid": "X-Amz-Date=20240102T030405Z&X-Amz-Expires=9999999999",
             "none": "token=a"}
    with VideoServer(1) as server, folder() as out:
        place = f"http://127.0.0.1:{server.server_port}"
        uris = [f"{place}/{name}?{query}&X-Amz-Signature=S3cret"
                for name, query in (past | other).items()]
        _, err = run(*uris, "--out", out)
        found = read_errors(out)
        for name in past:
            detail = found[f"{place}/{name}"]["detail"]
            assert "has expired at 2024-01-02T03:05:05Z" in detail, detail
            assert detail in err, err
        for name in other:
            detail = found[f"{place}/{name}"]["detail"]
            assert "expired" not in detail, detail
        assert "S3cret" not in err + str(found), err


# ---- The merge -------------------------------------------------------------

def merges_into_the_same_bytes_whatever_n_was():
    with folder() as out:
        videos = write_archive(pathlib.Path(out, "v"))
        options = ("--labels", LABELS, "--time-from-name", "_%Y%m%d-%H%M%S")
        run(videos, "--out", out + "/whole", *options)
        expected = merge([out + "/whole"], out + "/merged")
        assert any(name.endswith(".pack") for name in expected), expected
        assert len(read_errors(out + "/merged")) >= 1
        pathlib.Path(out, "plan.tsv").write_text(run("plan", videos)[0])
        for n in (1, 2, 4):
            folders = tag_shards(out + "/plan.tsv", f"{out}/{n}", n, *options)
            random.Random(n).shuffle(folders)
            found = merge(folders, f"{out}/merged{n}")
            assert found == expected, f"{n} shards: {found}, not {expected}"
        # Nothing that a search needs has gone, and more can be tagged into it.
        dump = functools.partial(tagging.dump, PROGRAM)
        assert dump(out + "/merged") == dump(out + "/whole")
        text, _ = run(videos, "--out", out + "/merged", *options)
        assert " 0 tagged" in text and " 0 linked" in text, text


def refuses_what_is_not_whole():
    with folder() as out:
        path = write(out + "/a.mp4", "fog")
        pathlib.Path(out, "plan.tsv").write_text(run("plan", path)[0])
        folders = tag_shards(out + "/plan.tsv", out, 2)
        _, err = run("merge", folders[0], "--out", out + "/m", status=1)
        assert folders[0] in err and "1/2" in err, err
        pathlib.Path(folders[1], "DONE").unlink()
        _, err = run("merge", *folders, "--out", out + "/m", status=1)
        assert folders[1] + "/DONE" in err, err
        tag_shards(out + "/plan.tsv", out, 2)
        pathlib.Path(folders[1], "DONE").write_text("something else\n")
        _, err = run("merge", *folders, "--out", out + "/m", status=2)
        assert "no file of pe-tag" in err, err
        assert not pathlib.Path(out, "m").exists()
        tag_shards(out + "/plan.tsv", out, 2)
        run("merge", *folders, "--out", out + "/m")
        _, err = run("merge", *folders, "--out", out + "/m", status=2)
        assert "is there already" in err, err


def verifies_what_it_merges_if_told_to():
    with folder() as out:
        path = write(out + "/a.mp4", "fog")
        pathlib.Path(out, "plan.tsv").write_text(run("plan", path)[0])
        shard, = tag_shards(out + "/plan.tsv", out, 1)
        run("merge", shard, "--out", out + "/sound", "--verify")
        pack, = pathlib.Path(shard, "vectors").glob("*.pack")
        data = bytearray(pack.read_bytes())
        data[5] ^= 1
        pack.write_bytes(data)
        _, err = run("merge", shard, "--out", out + "/m", "--verify", status=2)
        assert "vectors" in err and "pe-tag verify" in err, err
        assert not pathlib.Path(out, "m").exists()
        run("merge", shard, "--out", out + "/m")
        assert "--verify" in run("stats", "--out", shard, "--verify",
                                 status=2)[1]


def refuses_what_does_not_fit_and_names_both():
    with folder() as out:
        path = write(out + "/a.mp4", "fog", "colour bars")
        run(path, "--out", out + "/a")
        for name, options in (("rate", ("--frame-rate", 1)),
                              ("model", ("--model", TINY_MODEL)),
                              ("keys", ("--keyframes-only",))):
            run(path, "--out", f"{out}/{name}", *options)
            _, err = run("merge", out + "/a", f"{out}/{name}", "--out",
                         out + "/m", status=2)
            assert out + "/a" in err and f"{out}/{name}" in err, err
        shutil.copytree(out + "/a", out + "/schema")
        db = sqlite3.connect(out + "/schema/index.sqlite")
        db.execute("UPDATE facts SET number = 99 WHERE name = 'version'")
        db.commit()
        db.close()
        _, err = run("merge", out + "/a", out + "/schema", "--out", out + "/m",
                     status=2)
        assert out + "/schema" in err and "99" in err, err
        write(path, "a red circle")
        run(path, "--out", out + "/later")
        _, err = run("merge", out + "/a", out + "/later", "--out", out + "/m",
                     status=2)
        assert path in err and out + "/a" in err and out + "/later" in err, err
        assert not pathlib.Path(out, "m").exists()


def merges_again_after_it_was_killed():
    with VideoServer(6) as server, folder() as out:
        server.write_plan(PROGRAM, out + "/plan.tsv")
        folders = tag_shards(out + "/plan.tsv", out, 3)
        begin = time.monotonic()
        expected = merge(folders, out + "/whole")
        whole = time.monotonic() - begin
        rng = random.Random(3)
        for i in range(8):
            process = start(PROGRAM, "merge", *folders, "--out", out + "/m")
            time.sleep(rng.uniform(0, whole))
            end_process(process, signal.SIGKILL)
            if pathlib.Path(out, "m").exists():
                shutil.rmtree(out + "/m")
            assert merge(folders, out + "/m") == expected, f"run {i} differs"
            shutil.rmtree(out + "/m")


# ---- Ends ------------------------------------------------------------------

def ends_with_1_when_it_is_told_to():
    for numbers in ((signal.SIGUSR1, ), (signal.SIGTERM, ),
                    (signal.SIGUSR1, signal.SIGTERM)):
        with VideoServer(4) as server, folder() as out:
            server.write_plan(PROGRAM, out + "/plan.tsv")
            args = ("--list", out + "/plan.tsv", "--out", out + "/a", "--jobs", 1)
            server.hold_longest()
            process = start(PROGRAM, *args, *SLOW)
            server.wait_held()
            for number in numbers:
                process.send_signal(number)
                time.sleep(.2)  # two that wait become one
            if len(numbers) == 1:
                server.release()  # it may finish the file
            assert process.wait(PATIENCE) == 1, (numbers, process.returncode)
            assert not pathlib.Path(out, "a", "DONE").exists()
            server.release()
            text, _ = run(*args)
            assert " 0 partial, 0 broken" in text, text
            assert pathlib.Path(out, "a", "DONE").read_text().startswith(
                "done: shard 0/1 of plan ")


def merges_the_same_after_one_was_killed_in_a_file():
    with VideoServer(8) as server, folder() as out:
        plan = out + "/plan.tsv"
        expected = sharding.merge_alone(PROGRAM, server, plan, out)
        server.hold_longest()
        processes = [start(PROGRAM, "--list", plan, "--shard", f"{i}/4",
                           "--out", f"{out}/s/{i}", *SLOW) for i in range(4)]
        server.wait_held()
        # The others come to their ends.
        deadline = time.monotonic() + PATIENCE
        while sum(p.poll() is None for p in processes) > 1:
            assert time.monotonic() < deadline, "the others do not end"
            time.sleep(.05)
        killed = next(p for p in processes if p.poll() is None)
        end_process(killed, signal.SIGKILL)
        folders = [f"{out}/s/{i}" for i in range(4)]
        run("merge", *folders, "--out", out + "/m", status=1)
        server.release()
        tag_shards(plan, out + "/s", 4)
        assert merge(folders, out + "/m") == expected


def parallel_goes_on_where_it_was():
    if not shutil.which("parallel"):
        skip("there is no GNU parallel")
    with VideoServer(8) as server, folder() as out:
        plan = out + "/plan.tsv"
        expected = sharding.merge_alone(PROGRAM, server, plan, out)
        server.hold_longest()
        command = ["parallel", "--jobs", "4", "--joblog", out + "/joblog",
                   "--resume-failed", PROGRAM, "--list", plan, "--shard",
                   "{}/4", "--out", out + "/s/{}", *map(str, SLOW), ":::",
                   "0", "1", "2", "3"]
        env = sharding.environment(HOME=out)  # where it keeps things
        first = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        server.wait_held()
        end_children(first.pid, out)
        assert first.wait(PATIENCE) == 1, first.returncode
        server.release()
        subprocess.run(command, env=env, stdin=subprocess.DEVNULL, check=True,
                       capture_output=True, timeout=PATIENCE)
        lines = pathlib.Path(out, "joblog").read_text().splitlines()[1:]
        # Four jobs, and the one that was killed once more.
        assert len(lines) == 5, lines
        folders = [f"{out}/s/{i}" for i in range(4)]
        assert merge(folders, out + "/m") == expected


def end_children(parent, out):
    """Kill the last pe-tag below a process when the others have ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = [pid for pid in list_below(parent)
                 if PROGRAM.encode() == read_proc(pid, "cmdline").split(b"\0")[0]]
        if len(found) == 1 and len(list(pathlib.Path(out).glob("s/*/DONE"))) == 3:
            os.kill(found[0], signal.SIGKILL)
            return
        assert time.monotonic() < deadline, found
        time.sleep(.05)


def read_proc(pid, name):
    try:
        return pathlib.Path("/proc", str(pid), name).read_bytes()
    except OSError:
        return b""


def list_below(parent):
    """The processes that it has started, and theirs."""
    children = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        words = read_proc(path.name, "stat").rpartition(b") ")[2].split()
        if words:
            children.setdefault(int(words[1]), []).append(int(path.name))
    found, left = [], [parent]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


TESTS = [
    lists_the_longest_first,
    refuses_wrong_options,
    believes_what_a_plan_says,
    tries_again_what_was_out_of_reach,
    overwrites_nothing_that_is_not_a_merge_s,
    says_when_a_url_has_expired,
    merges_into_the_same_bytes_whatever_n_was,
    refuses_what_is_not_whole,
    verifies_what_it_merges_if_told_to,
    refuses_what_does_not_fit_and_names_both,
    merges_again_after_it_was_killed,
    ends_with_1_when_it_is_told_to,
    merges_the_same_after_one_was_killed_in_a_file,
    parallel_goes_on_where_it_was,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
