#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page of pe-live, its metrics and its health, as a TAP test:
check_pe_live_http.py PE_LIVE SCHEMAS

The page is also loaded by Chromium where that is installed.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

from live import PATIENCE, live, run

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from chromium import Page, find_browser  # noqa: E402
from tap import run_tests  # noqa: E402

PROGRAM, SCHEMAS = sys.argv[1], pathlib.Path(sys.argv[2])
EVIL_NAME = '<img src=x onerror="document.title=1">\\"'
EVIL_LABEL = "<script>document.title=2</script>"
TOKEN = "a-token.of_25~characters"


def get(port, path, method="GET", **headers):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", port,
                                            timeout=PATIENCE)
    connection.request(method, path, headers={
        key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


@contextlib.contextmanager
def serving(*args):
    """(program, port)"""
    with live(PROGRAM, "--http", "127.0.0.1:0", *args) as program:
        limit = time.monotonic() + PATIENCE
        port = None
        while not port:
            assert time.monotonic() < limit and program.process.poll() is None
            time.sleep(0.05)
            text = pathlib.Path(program.errors.name).read_text(
                encoding="utf-8")
            port = re.search(r"http://127.0.0.1:(\d+)/", text)
        yield program, int(port[1])


def parse_metrics(text):
    """name -> {labels: value}; what is not in the format is an error."""
    types, found = {}, {}
    line_format = re.compile(
        r'([a-z_]+)((?:\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})?) '
        r"([0-9.e+-]+)")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, f"{name} twice"
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = line_format.fullmatch(line)
            assert match, line
            base = re.sub("_(bucket|sum|count)$", "", match[1])
            name = base if types.get(base) == "histogram" else match[1]
            assert name in types, line
            assert (types[name] == "counter") == match[1].endswith("_total")
            found.setdefault(match[1], {})[match[2]] = float(match[3])
    return found


def serves_a_page_that_runs_nothing_of_others():
    with serving("bars=test:smpte") as (program, port):
        for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"),
                           ("/page.css", "text/css")):
            status, headers, body = get(port, path)
            assert status == 200 and headers["Content-Type"].startswith(kind)
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, policy
            assert "unsafe" not in policy and "http" not in policy, policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            text = body.decode()
            for word in ("http:", "https:", "innerHTML", "outerHTML",
                         "insertAdjacentHTML", "document.write", "eval("):
                assert word not in text, (path, word)
        assert get(port, "/nothing")[0] == 404
        assert get(port, "/", method="POST")[0] == 405
        assert program.end()[0] == 0


def tells_streams_and_labels_as_data():
    with serving() as (program, port):
        assert program.ask({"command": "add", "name": EVIL_NAME,
                            "uri": "test:smpte", "labels": EVIL_LABEL})["ok"]
        program.wait_result(EVIL_NAME)
        status, headers, body = get(port, "/streams")
        assert status == 200 and headers["Content-Type"] == "application/json"
        stream, = json.loads(body)["streams"]
        assert stream["stream"] == EVIL_NAME and stream["status"] == "running"
        label, = stream["labels"]
        assert label["label"] == EVIL_LABEL and 0 < label["score"] < 1, label
        with contextlib.suppress(ImportError):
            import jsonschema
            jsonschema.validate(json.loads(body), json.loads(
                (SCHEMAS / "pe-live.json").read_text(encoding="utf-8")))
        program.wait_result(EVIL_NAME, program.mark())
        metrics = parse_metrics(get(port, "/metrics")[2].decode())
        assert program.end()[0] == 0
    assert EVIL_LABEL not in str(metrics)
    running, = metrics["pe_stream_running"].items()
    assert running[1] == 1 and "onerror" in running[0], running


def tells_the_events_of_the_last_hour():
    with serving("--set", "event-threshold=0.05", "bars=test:smpte") as (
            program, port):
        program.wait("start", lambda line: line.get("event") == "start")
        event = {}
        limit = time.monotonic() + PATIENCE
        while not event.get("over"):
            assert time.monotonic() < limit, event
            body = json.loads(get(port, "/streams")[2])
            events = body["streams"][0]["events"]
            event = events[0] if events else {}
            if event:  # other labels end it
                program.ask({"command": "set-labels", "name": "bars",
                             "labels": "a lake"})
            time.sleep(0.05)
        assert program.end()[0] == 0
    assert event["label"] == "colour bars" and event["peak-score"] > 0.05
    assert event["start"] < event["end"] <= body["time"], (event, body["time"])
    with contextlib.suppress(ImportError):
        import jsonschema
        jsonschema.validate(body, json.loads(
            (SCHEMAS / "pe-live.json").read_text(encoding="utf-8")))


def finds_what_was_seen():
    """By the page's words, with a picture of what was found."""
    with serving("bars=test:smpte", "dark=test:black", "noise=test:snow") as (
            program, port):
        for name in "bars", "dark", "noise":
            for _ in range(3):  # the picture of a clip comes with the next
                program.wait_result(name, program.mark())
        for text, name in (("colour bars", "bars"),
                           ("a black screen", "dark")):
            query = urllib.parse.urlencode({"text": text})
            answer = json.loads(get(port, "/search?" + query)[2])
            assert answer["ok"] and len(answer["hits"]) >= 9, answer
            best = answer["hits"][0]
            assert best["stream"] == name, (text, answer["hits"])
            similarities = [hit["similarity"] for hit in answer["hits"]]
            assert similarities == sorted(similarities, reverse=True)
            assert best["start"] < best["end"] < answer["time"], answer
        answer = program.ask({"command": "search", "text": "fog", "top": 2,
                              "stream": "noise"})
        assert [h["stream"] for h in answer["hits"]] == ["noise"] * 2, answer
        with contextlib.suppress(ImportError):
            import jsonschema
            jsonschema.validate(answer, json.loads(
                (SCHEMAS / "pe-live.json").read_text(encoding="utf-8")))
        for wrong in ({}, {"text": ""}, {"text": 7}, {"text": "x", "top": 0},
                      {"text": "x", "top": 101}, {"text": "x", "frob": 1}):
            answer = program.ask({"command": "search", **wrong})
            assert not answer["ok"] and answer["error"], (wrong, answer)
        status, out, _ = run(PROGRAM, "ctl", "--control", program.socket,
                             "search", "--top", "1", "--stream", "bars", "fog")
        hit, = json.loads(out)["hits"]
        assert status == 0 and hit["stream"] == "bars", out
        moment = wait_picture(program, port)
        assert moment.startswith(b"\xff\xd8") and len(moment) > 300
        for number in ("0", "99999999", "x", ""):
            assert get(port, "/moments/" + number)[0] == 404, number
        assert program.end()[0] == 0


def wait_picture(program, port):
    limit = time.monotonic() + PATIENCE
    while True:
        for hit in program.ask({"command": "search", "text": "fog"})["hits"]:
            if hit["picture"]:
                return get(port, f"/moments/{hit['moment']}")[2]
        assert time.monotonic() < limit, "no picture of a moment"
        time.sleep(0.1)


def makes_thumbnails():
    with serving("bars=test:smpte") as (program, port):
        program.wait_result("bars")
        limit = time.monotonic() + PATIENCE
        status, body = 404, b""
        while status != 200:
            assert time.monotonic() < limit, "no thumbnail"
            time.sleep(0.1)
            status, _, body = get(port, "/thumbnails/bars")
        assert body.startswith(b"\xff\xd8") and len(body) > 500, len(body)
        for name in ("nobody", "", "..%2f..%2fetc%2fpasswd"):
            assert get(port, "/thumbnails/" + name)[0] in (400, 404), name
        assert program.end()[0] == 0


def tells_metrics_and_health():
    with serving("bars=test:smpte", "gone=rtsp://127.0.0.1:1/x") as (
            program, port):
        program.wait_result("bars")
        program.wait_result("bars", program.mark())
        program.wait_status("gone", "retrying")
        text = get(port, "/metrics")[2].decode()
        metrics = parse_metrics(text)
        assert get(port, "/healthz")[0] == 200
        status, _, body = get(port, "/readyz")
        assert status == 200 and b"1 of 2" in body, body
        assert program.ask({"command": "remove", "name": "bars"})["ok"]
        program.wait_status("bars", "stopped")
        assert get(port, "/readyz")[0] == 503
        assert program.end()[0] == 0
    bars = '{stream="bars"}'
    assert metrics["pe_stream_frames_total"][bars] > 0
    n = metrics["pe_stream_results_total"][bars]
    intervals = "pe_stream_result_interval_seconds"
    assert metrics[intervals + "_count"][bars] == n - 1
    buckets = [metrics[intervals + "_bucket"][key] for key in
               metrics[intervals + "_bucket"] if 'stream="bars"' in key]
    assert buckets == sorted(buckets) and buckets[-1] == n - 1, buckets
    assert 0 <= metrics["pe_stream_result_age_seconds"][bars] < PATIENCE
    key = '{stream="gone",reason="error"}'
    assert metrics["pe_stream_restarts_total"][key] >= 1
    assert metrics["pe_process_open_fds"][""] > 3
    for stage in "preprocess", "queue", "infer", "push":
        key = f'{{stream="bars",stage="{stage}"}}'
        assert metrics["pe_stream_stage_seconds_count"][key] > 0, stage
        assert metrics["pe_stream_stage_seconds_sum"][key] > 0, stage
    assert metrics["pe_engine_images_total"][""] >= n
    assert metrics["pe_engine_wait_seconds_count"][""] == (
        metrics["pe_engine_images_total"][""])
    assert 0 < metrics["pe_engine_batch_fill_ratio"][""] <= 1
    check_by_promtool(text)


def check_by_promtool(text):
    """As those who wrote the format see it, where that program is."""
    promtool = shutil.which(os.environ.get("PROMTOOL", "promtool"))
    if not promtool:
        print("# no promtool here: metrics were read by this test alone")
        return
    done = subprocess.run([promtool, "check", "metrics"], input=text,
                          capture_output=True, text=True, check=False,
                          timeout=PATIENCE)
    assert done.returncode == 0 and not done.stdout + done.stderr, (
        done.stdout + done.stderr)


def listens_to_this_machine_alone():
    for args in (("0.0.0.0:0",), ("[::]:0",), ("0.0.0.0:0", "--http-remote")):
        status, _, err = run(PROGRAM, "--no-control", "--http", *args)
        assert status == 2 and "--http-token-file" in err, (args, status, err)
    for address in ("frob", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999"):
        status, _, err = run(PROGRAM, "--no-control", "--http", address)
        assert status == 2 and "127.0.0.1:8080" in err, (address, status, err)
    with serving("test:") as (program, port):
        assert get(port, "/", Host="localhost")[0] == 200
        assert get(port, "/", Host="evil.example")[0] == 403
        status, _, err = run(PROGRAM, "--no-control", "--http",
                             f"127.0.0.1:{port}", "test:")
        assert status == 1 and str(port) in err, (status, err)
        assert program.end()[0] == 0


def asks_for_the_token():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "token")
        path.write_text("short\n", encoding="utf-8")
        status, _, err = run(PROGRAM, "--no-control", "--http", "127.0.0.1:0",
                             "--http-token-file", path)
        assert status == 2 and "16" in err and "short\n" not in err, err
        path.write_text(TOKEN + "\n", encoding="utf-8")
        with serving("--http-token-file", path, "test:") as (program, port):
            for url in ("/", "/streams", "/metrics", "/healthz", "/nothing",
                        "/?token=wrong", "/?token=" + "x" * len(TOKEN)):
                assert get(port, url)[0] == 401, url
            assert get(port, "/streams", Authorization="Bearer x")[0] == 401
            assert get(port, "/streams",
                       Authorization="Bearer " + TOKEN)[0] == 200
            status, headers, _ = get(port, "/?token=" + TOKEN)
            assert status == 303 and headers["Location"].endswith("/")
            assert TOKEN not in headers["Location"]
            cookie = headers["Set-Cookie"]
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
            assert get(port, "/", Cookie=cookie.split(";")[0])[0] == 200
            status, err = program.end()
            text = "".join(program.text) + err
    assert status == 0 and TOKEN not in text


def shows_in_a_browser_what_is_a_text_as_a_text():
    find_browser()
    with serving() as (program, port):
        assert program.ask({"command": "add", "name": EVIL_NAME,
                            "uri": "test:smpte", "labels": json.dumps(
                                [{"name": EVIL_LABEL,
                                  "prompts": ["colour bars"]}]),
                            "event-threshold": "0.05"})["ok"]
        program.wait("event", lambda line: line["type"] == "event")
        with Page() as page:
            url = f"http://127.0.0.1:{port}/"
            page.load(url)
            page.wait("document.getElementById('summary').textContent == "
                      "'1 of 1 streams are running.'")
            mark = page.wait("document.querySelector('.line .open').title")
            text = page.run("document.body.innerText")
            assert EVIL_LABEL in mark, mark
            assert EVIL_NAME in text and EVIL_LABEL in text, text
            assert page.run("document.querySelectorAll("
                            "'img[onerror], main script').length") == 0
            assert page.run("document.title") == "pe-live" and not page.dialogs
            page.wait("document.images[0].naturalWidth > 0")
            assert all(r.startswith(url) for r in page.requests), page.requests
        assert program.end()[0] == 0


if __name__ == "__main__":
    sys.exit(run_tests([
        serves_a_page_that_runs_nothing_of_others,
        tells_streams_and_labels_as_data, tells_the_events_of_the_last_hour,
        finds_what_was_seen,
        makes_thumbnails,
        tells_metrics_and_health, listens_to_this_machine_alone,
        asks_for_the_token, shows_in_a_browser_what_is_a_text_as_a_text]))
