#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-search serve, as a TAP test:
check_pe_search_serve.py PE_TAG PE_SEARCH TINY_MODEL
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import sys
import threading
import time
import unittest.mock
import urllib.parse

import tagging
from make_archive import write_video
from serving import (EVIL_LABEL, SEARCH, SEEN, TAG, TINY_MODEL, Server, serving,
                     videos)
from tagging import LABELS, PATIENCE, folder, run_tests, scenes, tag

TOKEN = "a-token.of_25~characters"


def shared():
    """A server that no test ends; the first connections to it are silent."""
    if "server" not in tagging.SHARED:
        tagging.SHARED["server"] = server = Server(videos()[2])
        silent, slow = server.connect(), server.connect()
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        tagging.SHARED["silent"] = silent, slow
    return tagging.SHARED["server"]


@contextlib.contextmanager
def locked(index):
    """Nobody can read an index meanwhile."""
    database = sqlite3.connect(index / "index.sqlite", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        database.execute("ROLLBACK")
        database.close()


# ---- What it answers --------------------------------------------------------

def serves_a_page_that_runs_nothing_of_others():
    server = shared()
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"),
                       ("/page.css", "text/css")):
        status, headers, body = server.get(path)
        assert status == 200 and headers["Content-Type"].startswith(kind)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        for word in (b"http:", b"https:", b"innerHTML", b"outerHTML",
                     b"insertAdjacentHTML", b"document.write", b"eval("):
            assert word not in body, (path, word)
    assert server.get("/nothing")[0] == 404
    assert server.get("/", method="POST")[0] == 405
    assert server.get("/healthz")[0] == 200
    assert server.get("/", Host="evil.example")[0] == 403


def finds_what_the_command_finds():
    server, (_, paths, index) = shared(), videos()
    for text in SEEN:
        moments = server.search(text=text)
        lines, _ = tagging.run(SEARCH, "-a", index, "--json", text)
        lines = [json.loads(line) for line in lines.splitlines()]
        assert {m["name"] for m in moments} == set(map(str, paths)), moments
        for moment, line in zip(moments, lines):
            assert {k: moment[k] for k in line} == line, (moment, line)
            label = EVIL_LABEL if text == SEEN[1] else text
            assert moment["label"] == label and moment["picture"]
            n = len(moment["scores"])
            peak = int(moment["peak"] / moment["duration"] * n + .5)
            best = max(moment["scores"])
            assert abs(moment["scores"][peak] - best) < 1e-4, moment
            assert abs(best - moment["score"]) < 1e-4, moment
            status, headers, body = server.get(f"/thumbnails/{moment['row']}")
            assert status == 200 and headers["Content-Type"] == "image/jpeg"
            assert body.startswith(b"\xff\xd8") and len(body) > 300
        like = server.search(like=moments[0]["row"])
        assert {m["name"] for m in like[:2]} == set(map(str, paths))
        assert [m["label"] for m in like[:2]] == [label] * 2, text
    assert server.search(text="a blue square") == []
    archive = json.loads(server.get("/archive")[2])
    assert archive["files"] == 2 and archive["folders"] == [
        {"folder": str(paths[0].parent), "files": 2}], archive


def looks_where_and_when_it_is_told():
    server, (_, paths, _) = shared(), videos()

    def names(**parameters):
        return {m["name"] for m in server.search(text=SEEN[0], **parameters)}
    both = set(map(str, paths))
    assert names(**{"in": paths[0]}) == {str(paths[0])}
    assert names(**{"in": [*paths]}) == both
    assert names(camera=paths[0].parent.name) == both
    assert names(camera="gate") == set()
    assert names(words="webm") == {str(paths[1])}
    assert names(words="onerror alert* MP4") == {str(paths[0])}
    assert names(words="document") == both, "no words of labels"
    assert len(server.search(text=SEEN[0], top=1)) == 1
    assert server.search(text=SEEN[0], **{"not": SEEN[0]}) == []
    assert names(since="2020-01-01T00:00:00.000Z") == both
    assert names(since="2100-01-01") == set()
    assert names(until="2020-01-01T00:00") == set()
    for wrong in ({}, {"text": ""}, {"not": "fog"}, {"text": "a", "top": 0},
                  {"text": "a", "top": "1e9"}, {"text": "a", "frob": 1},
                  {"text": "a" * 600}, {"text": ["a"] * 20}, {"like": "x"},
                  {"like": 99999}, {"text": "a", "since": "soon"},
                  {"text": "0:a"}, {"text": "a", "time-of-day": "25:00"},
                  {"text": "a", "in": "/nowhere"},
                  {"text": "a", "words": "nowhere"},
                  {"text": "a", "words": "<>"},
                  {"text": "a", "words": "a" * 600},
                  {"text": "a", "in": ["x" * 300] * 40}):
        assert server.search(status=400, **wrong), wrong
    assert server.get("/search?text=%ff")[0] == 400


def plays_only_what_the_index_lists():
    server, (_, paths, _) = shared(), videos()
    moment = next(m for m in server.search(text=SEEN[1])
                  if m["name"] == str(paths[0]))
    url, whole = f"/videos/{moment['row']}", paths[0].read_bytes()
    size = len(whole)
    for wanted, status, part in (
            (None, 200, whole), ("bytes=0-", 200, whole),
            ("bytes=5-14", 206, whole[5:15]), ("bytes=-7", 206, whole[-7:]),
            (f"bytes=9-{size * 2}", 206, whole[9:]), ("frob", 200, whole),
            ("bytes=0-1,5-6", 200, whole), (f"bytes={size}-", 416, None)):
        headers = {"Range": wanted} if wanted else {}
        code, answer, body = server.get(url, **headers)
        assert code == status, (wanted, code)
        assert part is None or body == part, (wanted, len(body))
        if status == 206:
            start = whole.index(part)
            assert answer["Content-Range"] == (
                f"bytes {start}-{start + len(part) - 1}/{size}"), wanted
        assert answer["Accept-Ranges"] == "bytes"
    code, answer, body = server.get(url, method="HEAD")
    assert (code, answer["Content-Length"], body) == (200, str(size), b"")
    assert answer["Content-Type"] == "video/mp4"
    for path in ("/videos/", "/videos/-1", "/videos/99999", "/videos/x",
                 "/videos/1/2", "/videos/..%2f..%2fetc%2fpasswd",
                 "/videos//etc/passwd", "/thumbnails/99999", "/clips/1",
                 "/clips/5-3", "/clips/0-99999", "/clips/x-y",
                 "/videos/" + urllib.parse.quote(str(paths[0]))):
        assert server.get(path)[0] in (400, 404), path


def tells_that_a_source_is_away():
    server, (out, paths, _) = shared(), videos()
    moment = server.search(text=SEEN[1], **{"in": paths[0]})[0]
    os.rename(paths[0], out / "away")
    try:
        for kind in "none", "pipe", "folder":
            if kind == "pipe":
                os.mkfifo(paths[0])
            elif kind == "folder":
                os.unlink(paths[0])
                os.mkdir(paths[0])
            for url in (f"/videos/{moment['row']}",
                        f"/clips/{moment['first-row']}-{moment['last-row']}"):
                status, _, body = server.get(url)
                assert status == 404 and str(paths[0]) in body.decode(), body
            assert server.get(f"/thumbnails/{moment['row']}")[0] == 200
            assert server.search(text=SEEN[1], **{"in": paths[0]})
    finally:
        os.rmdir(paths[0])
        os.rename(out / "away", paths[0])
    assert server.get(f"/videos/{moment['row']}")[0] == 200


def saves_the_clip_that_the_command_saves():
    server, (_, paths, index) = shared(), videos()
    moment = server.search(text=SEEN[2], **{"in": paths[0]})[0]
    status, headers, clip = server.get(
        f"/clips/{moment['first-row']}-{moment['last-row']}")
    assert status == 200 and clip.startswith(b"\x1a\x45\xdf\xa3")
    name = headers["Content-Disposition"]
    assert name.startswith("attachment; filename*=UTF-8''%3Cimg"), name
    assert not set(name[30:]) & set("<>\"'& "), name
    with folder() as clips:
        tagging.run(SEARCH, "-a", index, "--in", paths[0], SEEN[2],
                    "--save-clips", clips)
        saved, = pathlib.Path(clips).iterdir()
        assert saved.name == "001-" + urllib.parse.unquote(
            name.split("''")[1]), name
        assert abs(saved.stat().st_size - len(clip)) < 100


# ---- While others write -----------------------------------------------------

def sees_what_is_tagged_meanwhile():
    _, _, index = videos()
    with folder() as out:
        out = pathlib.Path(out).resolve()
        shutil.copytree(index, out / "index")
        write_video(out / "b.mp4", [("fog", 3), ("colour bars", 3)], scenes())
        with serving(out / "index") as server:
            assert server.search(text="colour bars") == []
            ended, answers = threading.Event(), []

            def ask():
                while not ended.is_set():
                    answers.append(server.search(text=SEEN[0]))
            thread = threading.Thread(target=ask)
            thread.start()
            tag(TAG, out / "index", out / "b.mp4", "--labels", LABELS)
            ended.set()
            thread.join()
            assert answers and all(len(a) == 2 for a in answers), answers
            moment = server.search(text="colour bars")[0]
            assert moment["name"] == str(out / "b.mp4")
            row = moment["row"]
            assert server.get(f"/videos/{row}")[0] == 200
            # Another archive by the same name.
            os.rename(out / "index", out / "old")
            assert server.search(status=503, text="fog")
            shutil.copytree(index, out / "index")
            assert server.search(text="colour bars") == []
            assert server.get(f"/videos/{row}")[0] == 404
            # One of another model.
            shutil.rmtree(out / "index")
            tag(TAG, out / "index", out / "b.mp4", "--model", TINY_MODEL)
            assert "pe-demo" in server.search(status=500, text="fog")
            assert server.end() == 0


def makes_the_null_of_texts_once():
    _, paths, index = videos()
    debug = unittest.mock.patch.dict(os.environ, G_MESSAGES_DEBUG="pe")
    with folder() as out, contextlib.ExitStack() as stack:
        out = pathlib.Path(out).resolve()
        shutil.copytree(index, out / "index")
        write_video(out / "b.mp4", [("fog", 3), ("colour bars", 3)], scenes())
        with debug:
            server = stack.enter_context(serving(out / "index"))

        def count(**parameters):
            assert server.search(**parameters)
            return server.read_errors().count("made the null of texts")
        some = {"text": SEEN[0], "in": paths[0]}
        first = server.search(**some)
        assert [count(text=SEEN[0]), count(text=SEEN[1])] == [2, 2]
        assert count(**some) == 2
        assert server.search(**some) == first
        tag(TAG, out / "index", out / "b.mp4", "--labels", LABELS)
        # These rows are the same, and all rows are others.
        assert [count(**some), count(text=SEEN[0])] == [2, 3]
        os.rename(out / "index", out / "old")
        shutil.copytree(index, out / "index")
        assert [count(text=SEEN[0]), count(**some)] == [4, 5]
        assert server.search(**some) == first
        assert server.end() == 0


def answers_in_time_or_says_that_it_cannot():
    _, _, index = videos()
    with serving(index, "--timeout", 1) as server:
        statuses = []

        def ask():
            statuses.append(server.get("/search?text=fog")[0])
        with locked(index):
            assert "too long" in server.search(status=503, text="fog")
            threads = [threading.Thread(target=ask) for _ in range(40)]
            for thread in threads:
                thread.start()
            # They wait for nobody else.
            assert server.get("/healthz")[0] == 200
            for thread in threads:
                thread.join()
            assert statuses == [503] * 40, statuses
            assert "too many" in server.search(status=503, text="fog")
        limit = time.monotonic() + PATIENCE
        while server.get("/search?text=fog")[0] == 503:
            assert time.monotonic() < limit
            time.sleep(0.05)
        assert server.end() == 0


def ends_when_what_was_asked_is_answered():
    _, _, index = videos()
    with serving(index) as server:
        client = server.connect()
        with locked(index):
            client.sendall(b"GET /search?text=fog HTTP/1.1\r\n"
                           b"Host: localhost\r\n\r\n")
            for _ in range(2):  # what came before has arrived
                assert server.get("/healthz")[0] == 200
            server.process.send_signal(signal.SIGTERM)
            limit = time.monotonic() + PATIENCE
            with contextlib.suppress(ConnectionError):
                while True:
                    server.connect().close()
                    assert time.monotonic() < limit
            assert server.process.poll() is None
        answer = read_all(client)
        assert b" 200 OK" in answer and b'"ok": true' in answer, answer
        assert server.process.wait(PATIENCE) == 0


# ---- Who asks ---------------------------------------------------------------

def tells_usage_apart_from_failure():
    _, _, index = videos()

    def fails(status, word, *args):
        _, err = tagging.run(SEARCH, "serve", *args, status=status)
        assert word in err, err
    fails(2, "archive")
    fails(2, "--frob", index, "--frob")
    fails(2, "--http-token-file", index, "--http", "0.0.0.0:0")
    fails(2, "--http-token-file", index, "--http", "[::]:0", "--http-remote")
    fails(2, "127.0.0.1:8080", index, "--http", "frob")
    fails(2, "there is no archive", index.parent)
    fails(2, "pe-demo", index, "--model", TINY_MODEL)
    fails(1, str(shared().port), index, "--http",
          f"127.0.0.1:{shared().port}")


def asks_for_the_token():
    with folder() as out:
        path = pathlib.Path(out, "token")
        path.write_text(TOKEN + "\n", encoding="utf-8")
        with serving(videos()[2], "--http-token-file", path) as server:
            for url in ("/", "/search?text=fog", "/videos/1", "/thumbnails/1",
                        "/archive", "/clips/1-1", "/healthz",
                        "/?token=" + "x" * len(TOKEN)):
                assert server.get(url)[0] == 401, url
            assert server.get("/search?text=fog",
                              Authorization="Bearer " + TOKEN)[0] == 200
            status, headers, _ = server.get("/?token=" + TOKEN)
            assert status == 303
            cookie = headers["Set-Cookie"]
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
            assert server.get("/videos/1",
                              Cookie=cookie.split(";")[0])[0] == 200
            assert server.end() == 0
            assert TOKEN not in server.read_errors()


def read_all(client):
    """What comes until the other side ends, by which it must."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while more := client.recv(1 << 16):
            data += more
    client.close()
    return data


def lets_no_client_take_all():
    server = shared()
    bomb = server.connect()
    with contextlib.suppress(ConnectionError):
        bomb.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (4 << 20))
    assert b" 200 " not in read_all(bomb)
    for text in (b"\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n",
                 b"GET /\xff%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        broken = server.connect()
        broken.sendall(text)
        broken.shutdown(socket.SHUT_WR)
        assert b" 200 " not in read_all(broken), text
    # A large body is not kept, and not waited for longer than anything else.
    body = server.connect()
    with contextlib.suppress(ConnectionError):
        body.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Length: 9999999\r\n\r\n" + b"x" * 9999999)
    assert b" 405 " in read_all(body)
    # One that goes before its answer comes.
    for _ in range(5):
        gone = server.connect()
        gone.sendall(b"GET /search?text=fog HTTP/1.1\r\n"
                     b"Host: localhost\r\n\r\n")
        gone.close()
    many = [server.connect() for _ in range(200)]
    for client in many[130:]:
        assert read_all(client) == b""
    for client in many[:130]:
        client.close()
    limit = time.monotonic() + PATIENCE
    while True:  # the others are gone as soon as that was noticed
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            if server.get("/healthz")[0] == 200:
                break
        assert time.monotonic() < limit
    assert server.search(text=SEEN[0])


def waits_for_no_client_for_ever():
    shared()
    for client in tagging.SHARED["silent"]:
        assert b" 200 " not in read_all(client)


TESTS = [
    serves_a_page_that_runs_nothing_of_others,
    finds_what_the_command_finds,
    looks_where_and_when_it_is_told,
    plays_only_what_the_index_lists,
    tells_that_a_source_is_away,
    saves_the_clip_that_the_command_saves,
    sees_what_is_tagged_meanwhile,
    makes_the_null_of_texts_once,
    answers_in_time_or_says_that_it_cannot,
    ends_when_what_was_asked_is_answered,
    tells_usage_apart_from_failure,
    asks_for_the_token,
    lets_no_client_take_all,
    waits_for_no_client_for_ever,
]

if __name__ == "__main__":
    failed = run_tests(TESTS)
    if "server" in tagging.SHARED:
        tagging.SHARED["server"].close()
    sys.exit(failed)
