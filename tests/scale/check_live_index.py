#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What streams show, in a PostgreSQL database beside an archive, as a TAP test:
check_live_index.py PE_LIVE PE_TAG PE_SEARCH
"""

import contextlib
import datetime
import functools
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

from postgres import (NEEDED, PATIENCE, Server, find_pgvector, find_programs)

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "archive"), str(HERE.parent / "pipelines")]
import tagging  # pylint: disable=wrong-import-position
from live import live, run  # pylint: disable=wrong-import-position
from tagging import LABELS, folder, run_tests, skip  # pylint: disable=wrong-import-position

LIVE, TAG, SEARCH = sys.argv[1:4]
STACK = contextlib.ExitStack()  # what lasts as long as the test
# Samples, of which some are like the frame before them, of a stream.
SAMPLES = ("SELECT coalesce(sum(n_samples), 0) FROM perception.frames JOIN "
           "perception.contents ON \"row\" >= first_row AND \"row\" < "
           "first_row + n_rows JOIN perception.files ON content = id WHERE "
           "position('{}'::bytea in name) > 0")


@functools.cache
def server():
    """One for all tests."""
    programs = find_programs()
    if not programs:
        skip("there is no PostgreSQL server (postgresql-17)")
    if (find_pgvector(programs) or (0,)) < NEEDED:
        skip(f"there is no pgvector {NEEDED} for {programs.parent}")
    _, _, err = run(SEARCH, "--index", "postgresql://127.0.0.1:1/x", "fog")
    if "no PostgreSQL" in err:
        skip("this build has no libpq")
    return STACK.enter_context(Server(STACK.enter_context(folder())))


def ask(text, name):
    """Whole numbers of a row; before there are tables, nothing."""
    try:
        return [int(x) for x in server().sql(text, name).split("|")]
    except AssertionError as error:
        assert "does not exist" in str(error), error
        return [0]


def wait_for(question, name, least=1):
    """Until the first number is as large."""
    end = time.monotonic() + PATIENCE
    while ask(question, name)[0] < least:
        assert time.monotonic() < end, question
        time.sleep(.1)


def search(uri, *args):
    text, _ = tagging.run(SEARCH, "--index", uri, "--exact", "--json", *args)
    return [json.loads(line) for line in text.splitlines()][:-1]


def check_whole(name):
    """Each content has its frames and its segments, and nothing else is there."""
    rows = ask(
        "SELECT (SELECT sum(n_rows) FROM perception.contents),"
        " (SELECT count(*) FROM perception.frames),"
        " (SELECT count(*) FROM perception.frames JOIN perception.contents ON"
        "  \"row\" >= first_row AND \"row\" < first_row + n_rows),"
        " (SELECT sum(n_frames) FROM perception.segments)", name)
    assert len(set(rows)) == 1 and rows[0] > 0, rows
    sums = server().sql(
        "SELECT count(*) FROM perception.contents WHERE sum IS NULL OR n_rows "
        "= 0 OR id NOT IN (SELECT content FROM perception.files)", name)
    assert sums == "0", sums


def local(seconds):
    return datetime.datetime.fromtimestamp(seconds).isoformat(
        timespec="seconds")


# ---- Tests ----------------------------------------------------------------

def finds_archive_and_now_in_one_search():
    uri = server().make_database("archive_and_now")
    videos, _ = tagging.example_videos()
    with folder() as out:
        tagging.tag(TAG, out, videos, "--labels", LABELS)
        tagging.run(TAG, "load", "--out", out, "--index", uri, "--no-hnsw")
    start = time.time()
    with live(LIVE, "gate=test:smpte", "yard=test:black", "--index",
              uri) as program:
        for stream in ("gate", "yard"):
            wait_for(SAMPLES.format(f"/{stream}/"), "archive_and_now")
        hits = search(uri, "colour bars", "--camera", "gate")
        line = pathlib.Path(f"/proc/{program.process.pid}/cmdline").read_bytes()
        assert b"secret" not in line and b"***" in line, line
        status, err = program.end()
        assert status == 0 and "secret" not in err, err
    end = time.time()
    assert hits and all("/gate/" in hit["name"] for hit in hits), hits
    assert hits[0]["name"].startswith("pe-live://"), hits
    assert hits[0]["label"] == "colour bars", hits
    recorded = datetime.datetime.fromisoformat(
        hits[0]["time"].replace("Z", "+00:00")).timestamp()
    assert start - 1 <= recorded <= end + 1, (start, recorded, end)
    assert not search(uri, "colour bars", "--camera", "yard")
    names = {hit["name"] for hit in search(uri, "a red circle")}
    assert any(name.startswith(str(videos)) for name in names), names
    for more, found in ((["--since", local(start - 60)], True),
                        (["--until", local(start - 60)], False),
                        (["--since", local(end + 60)], False)):
        code, out, err = run(SEARCH, "--index", uri, "--json", "--camera",
                             "gate", "colour bars", *more)
        found_now = code == 0 and json.loads(out.splitlines()[-1])["match"]
        assert found_now == found, (more, out, err)
    assert search(uri, "colour bars", "--words", "gate colour bars")
    check_whole("archive_and_now")


def keeps_what_was_written_when_it_is_killed():
    uri = server().make_database("killed")
    for n in (1, 2):
        with live(LIVE, "gate=test:snow", "--index", uri) as program:
            wait_for("SELECT count(*) FROM perception.files", "killed", n)
            before = ask(SAMPLES.format("/gate/"), "killed")[0]
            wait_for(SAMPLES.format("/gate/"), "killed", before + 2)
            program.end(signal.SIGKILL)
    check_whole("killed")
    assert ask("SELECT count(DISTINCT wall_start) FROM perception.files",
               "killed") == [2]


def many_programs_write_at_once():
    """Also the first tables, and under one name of a stream."""
    uri = server().make_database("many")
    with contextlib.ExitStack() as programs:
        for _ in range(3):
            programs.enter_context(live(LIVE, "gate=test:snow", "--set",
                                        "frame-rate=5/1", "--index", uri))
        wait_for("SELECT count(*) FROM (SELECT content FROM perception.frames "
                 "JOIN perception.contents ON \"row\" >= first_row AND \"row\" "
                 "< first_row + n_rows JOIN perception.files ON content = id "
                 "GROUP BY content HAVING sum(n_samples) > 4) c", "many", 3)
    check_whole("many")


def goes_on_when_the_server_is_back():
    uri = server().make_database("away")
    server().stop()
    videos, _ = tagging.example_videos()
    video = sorted(videos.glob("*.mp4"))[0]
    with live(LIVE, f"gate={video}", "--loop", "--index", uri) as program:
        program.wait_result("gate")
        first = time.time()
        for _ in range(6):
            program.wait_result("gate", program.mark())
        server().start()
        wait_for(SAMPLES.format("/gate/"), "away", 3)
        began = ask("SELECT min(wall_start) FROM perception.files", "away")[0]
        assert began < (first + 1) * 1e9, (began, first)
        server().stop()
        for _ in range(4):
            program.wait_result("gate", program.mark())
        server().start()
        before = ask(SAMPLES.format("/gate/"), "away")[0]
        wait_for(SAMPLES.format("/gate/"), "away", before + 6)
        status, err = program.end()
    assert status == 0 and "secret" not in err, err
    assert "is kept here" in err and "again" in err, err
    assert "lost" not in err, err
    check_whole("away")
    assert ask("SELECT count(*) FROM perception.frames", "away")[0] >= 3
    # All results are there, also those while the server was away; the end may
    # come before the line of the last one.
    n_lines = len([x for x in program.lines if x.get("source") == "gate" and
                   x["type"] == "clip"])
    n_samples, = ask(SAMPLES.format("/gate/"), "away")
    assert n_lines <= n_samples <= n_lines + 2, (n_lines, n_samples, err)


def tells_what_is_not_in_the_database_at_the_end():
    uri = server().make_database("never")
    server().stop()
    try:
        with live(LIVE, "gate=test:smpte", "--index", uri) as program:
            program.wait_result("gate")
            status, err = program.end()
    finally:
        server().start()
    assert status == 1 and "frames are not in the database" in err, err
    assert "secret" not in err, err


def waits_for_no_server_that_hangs():
    server()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        uri = (f"postgresql://u:secret@127.0.0.1:{mute.getsockname()[1]}/x"
               "?connect_timeout=2")
        with live(LIVE, "gate=test:smpte", "--index", uri) as program:
            for _ in range(5):
                program.wait_result("gate", program.mark())
            status, err = program.end()
    assert status == 1 and "not in the database" in err, err
    assert "secret" not in err, err


def refuses_what_is_no_database_of_its_vectors():
    status, _, err = run(LIVE, "test:", "--index", "/tmp")
    assert status == 2 and "must be a URI" in err, err
    uri = server().make_database("other")
    with live(LIVE, "gate=test:smpte", "--index", uri) as program:
        wait_for(SAMPLES.format("/gate/"), "other")
        assert program.end()[0] == 0
    server().sql("UPDATE perception.facts SET bytes = decode(repeat('00', "
                 "length(bytes)), 'hex') WHERE name = 'probes'", "other")
    status, _, err = run(LIVE, "--no-control", "test:", "--index", uri)
    assert status == 1 and "fingerprint" in err and "secret" not in err, err


TESTS = (
    finds_archive_and_now_in_one_search,
    keeps_what_was_written_when_it_is_killed, many_programs_write_at_once,
    goes_on_when_the_server_is_back,
    tells_what_is_not_in_the_database_at_the_end,
    waits_for_no_server_that_hangs, refuses_what_is_no_database_of_its_vectors)

if __name__ == "__main__":
    with STACK:
        result = run_tests(TESTS)
    sys.exit(result)
