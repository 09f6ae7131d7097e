#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-live from the outside, as a TAP test: check_pe_live.py PE_LIVE SCHEMAS

Cameras on a network have a test of their own, check_pe_live_rtsp.py.
"""

import json
import os
import pathlib
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

from live import PATIENCE, live, run

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import run_tests, skip  # noqa: E402

PROGRAM, SCHEMAS = sys.argv[1], pathlib.Path(sys.argv[2])
SECRET, TOKEN = "Geh31m.pw", "T0kenT0ken"
LOCKED = f"rtsp://viewer:{SECRET}@127.0.0.1:1/live?token={TOKEN}"


def write_config(folder, config):
    path = pathlib.Path(folder, "cameras.json")
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def check_schema(name, lines):
    try:
        import jsonschema
    except ImportError:
        return
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    for line in lines:
        jsonschema.validate(line, schema)


def tells_usage_apart_from_failure():
    for args in [("--frob",), ("ctl",), ("ctl", "add", "a"),
                 ("ctl", "frob"), ("--set", "labels"), ("--set", "lable=x"),
                 ("--set", "threshold=2"), ("--watchdog", "-1"),
                 ("--config", "/nowhere.json"), ("--threads", "-1")]:
        status, out, err = run(PROGRAM, *args)
        assert (status, out) == (2, ""), (args, status, out, err)
        assert "--help" in err, err
    for args in [("--model", "/nowhere.pt", "test:"),
                 ("ctl", "--control", "/nowhere/socket", "list")]:
        status, out, err = run(PROGRAM, *args)
        assert (status, out) == (1, ""), (args, status, out)
        assert "/nowhere" in err, err
    for args in [("--help",), ("ctl", "--help")]:
        status, out, _ = run(PROGRAM, *args)
        assert status == 0 and "Exit status" in out, out


def names_a_key_with_a_typo():
    status, _, err = run(PROGRAM, "--set", "lables=a|b")
    assert status == 2 and '"lables"' in err and '"labels"' in err, err


def says_where_a_key_belongs():
    status, _, err = run(PROGRAM, "--set", "uri=test:")
    assert status == 2 and '"uri"' in err and 'in "streams"' in err, err
    with tempfile.TemporaryDirectory() as folder:
        config = {"streams": [{"uri": "test:", "model": "x"}]}
        status, _, err = run(PROGRAM, "--no-control", "--json", "--config",
                             write_config(folder, config))
        assert status == 1 and '"model"' in err and "--model" in err, err


def says_that_there_is_no_stream():
    status, out, err = run(PROGRAM, "--no-control")
    assert (status, out) == (2, "") and "no stream" in err, err
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [PROGRAM, "--control", folder + "/socket"], text=True,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as program:
        line = program.stderr.readline()
        program.terminate()
        assert "pe-live ctl add" in line, line
        assert program.wait(PATIENCE) == 0


def plays_a_file_and_ends_with_it():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "bars.mkv")
        run("gst-launch-1.0", "-q", *(
            "videotestsrc num-buffers=45 pattern=smpte ! "
            "video/x-raw,width=160,height=120,framerate=15/1 ! jpegenc ! "
            f"matroskamux ! filesink location={path}").split())
        begin = time.monotonic()
        with live(PROGRAM, path) as program:
            program.wait_status("bars.mkv", "stopped")
            seconds = time.monotonic() - begin
            status, err = program.end()
            lines = program.lines
    assert status == 0, (status, err)
    assert seconds > 2, f"{seconds} s, as if nobody kept time"
    results = [line for line in lines if line["type"] == "clip"]
    assert len(results) == 3, len(results)
    assert {r["labels"][0]["label"] for r in results} == {"colour bars"}
    last = [line for line in lines if line["type"] == "status"][-1]
    assert (last["status"], last["reason"]) == ("stopped", "eos"), last
    for line in lines:
        del line["arrived"]
    check_schema("pe-live.json", [x for x in lines if x["type"] != "clip"])
    check_schema("pe-result.json", results)


def fails_when_standard_output_is_full():
    if not pathlib.Path("/dev/full").is_char_device():
        skip("there is no /dev/full")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([PROGRAM, "--json", "bars=test:smpte"],
                              stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False, timeout=PATIENCE)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert ("pe-live: standard output: No space left on device\n"
            in done.stderr), done.stderr


def fails_when_standard_output_is_closed():
    # Without a guard, something of the program's own would get its number.
    done = subprocess.run([PROGRAM, "--json", "bars=test:smpte"],
                          stderr=subprocess.PIPE, text=True, check=False,
                          timeout=PATIENCE, preexec_fn=lambda: os.close(1))
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert ("pe-live: standard output: Bad file descriptor\n"
            in done.stderr), done.stderr


def goes_on_beside_a_stream_that_cannot_run():
    with live(PROGRAM, "/nowhere.mp4", "bars=test:smpte", "odd=test:oddity",
              "dark=test:black", "strange=foo://bar") as program:
        missing = program.wait_status("nowhere.mp4", "stopped")
        odd = program.wait_status("odd", "stopped")
        strange = program.wait_status("strange", "stopped")
        program.wait_result("bars")
        program.wait_result("dark")
        status, _ = program.end()
    assert missing["reason"] == "error" and "/nowhere.mp4" in missing["detail"]
    assert "oddity" in odd["detail"], odd
    assert "reads addresses with foo://" in strange["detail"], strange
    assert status == 1, status


def names_what_is_wrong_in_a_file_and_plays_the_rest():
    with tempfile.TemporaryDirectory() as folder:
        config = {"labels": "colour bars|fog", "streams": [
            {"name": "bars", "uri": "test:smpte"},
            {"name": "typo", "uri": "test:", "lables": "a|b"},
            {"name": "high", "uri": "test:", "threshold": 7},
            {"name": "bars", "uri": "test:"},
            {"name": "lost"},
            {"name": "locked", "uri": LOCKED, "clip-lenght": 3},
            7]}
        check_schema("pe-live-config.json",
                     [{**config, "streams": config["streams"][:1]}])
        with live(PROGRAM, "--config", write_config(folder, config)) as program:
            found = {name: program.wait_status(name, "stopped")["detail"]
                     for name in ("typo", "high", "lost", "locked",
                                  "stream 7")}
            program.wait_result("bars")
            status, err = program.end()
            text = "".join(program.text) + err
    assert status == 1, status
    assert '"lables"' in found["typo"] and '"labels"' in found["typo"], found
    assert '"threshold"' in found["high"] and '"7"' in found["high"], found
    assert '"uri"' in found["lost"], found
    assert '"clip-lenght"' in found["locked"], found
    assert "already" in err, err
    assert SECRET not in text, text


def refuses_a_file_that_is_no_configuration():
    with tempfile.TemporaryDirectory() as folder:
        for config in ({}, [], {"streams": {}}, {"streams": [], "modle": "x"},
                       {"streams": [], "model": 3}):
            status, out, err = run(PROGRAM, "--no-control", "--json",
                                   "--config", write_config(folder, config))
            assert (status, out) == (2, "") and "cameras.json" in err, err
        os.mkfifo(folder + "/pipe")
        status, out, err = run(PROGRAM, "--no-control", "--json", "--config",
                               folder + "/pipe")
        assert (status, out) == (2, ""), err
        assert "is a device or pipe, not a file" in err, err


def adds_removes_and_relabels():
    with live(PROGRAM, "bars=test:smpte", "dark=test:black") as program:
        program.wait_result("bars")
        assert program.ask({"command": "add", "name": "snow",
                            "uri": "test:snow"})["ok"]
        program.wait_result("snow")
        answer = program.ask({"command": "set-labels", "name": "bars",
                              "labels": "a red circle|static noise"})
        assert answer["ok"], answer
        mark = program.mark()
        program.wait("the new labels", lambda line: line.get("source") == "bars"
                     and line["labels"][0]["label"] not in
                     ("colour bars", "a black screen", "fog"), mark)
        assert program.ask({"command": "set-labels", "all": True,
                            "labels": "a lake"})["ok"]
        for name in "bars", "dark", "snow":
            program.wait("the labels of all", lambda line, n=name:
                         line.get("source") == n and
                         line["labels"][0]["label"] == "a lake", mark)
        assert program.ask({"command": "remove", "name": "dark"})["ok"]
        program.wait_status("dark", "stopped")
        names = [s["stream"] for s in
                 program.ask({"command": "list"})["streams"]]
        assert names == ["bars", "snow"], names
        status, out, _ = run(PROGRAM, "ctl", "--control", program.socket,
                             "stats")
        stats = json.loads(out)
        assert status == 0 and stats["totals"]["streams"] == 2, stats
        assert all(s["results"] > 0 and s["frames"] > 0
                   for s in stats["streams"]), stats
        check_schema("pe-live.json", [stats])
        assert program.end()[0] == 0


def answers_bad_requests_with_an_error():
    with live(PROGRAM, "bars=test:smpte") as program:
        program.wait_result("bars")
        for request in ("", "{", "[]", "7", '{"command":7}', '{"command":"no"}',
                        '{"command":"remove"}', '{"command":"list","x":1}',
                        '{"command":"remove","name":"nobody"}',
                        '{"command":"add","name":"bars","uri":"test:"}',
                        '{"command":"add","name":"a\\nb","uri":"test:"}',
                        '{"command":"add","name":"x","uri":"test:","frob":1}',
                        '{"command":"set-labels","name":"bars"}',
                        '{"command":"set-labels","name":"bars","labels":"{"}',
                        "\udcff".encode("utf-8", "surrogateescape").decode(
                            "latin-1")):
            answer = program.ask(request)
            assert answer["ok"] is False and answer["error"], (request, answer)
        program.wait_result("bars", program.mark())
        assert program.end()[0] == 0


def is_not_held_up_by_clients():
    """One that does not end its line, one that does not read, and many."""
    with live(PROGRAM, "bars=test:smpte") as program:
        program.wait_result("bars")
        mode = stat.S_IMODE(os.stat(program.socket).st_mode)
        assert mode == 0o600, oct(mode)
        clients = []
        for data in (b'{"command":', b'{"command":"stats"}\n' * 5000, b""):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(program.socket))
            client.setblocking(False)
            try:
                client.sendall(data)
            except BlockingIOError:
                pass
            clients.append(client)
        program.wait_result("bars", program.mark())
        assert program.ask({"command": "list"})["ok"]
        for client in clients[:2]:  # dropped by the program
            client.setblocking(True)
            client.settimeout(PATIENCE)
            if client is clients[0]:
                assert client.recv(1) == b""
        for client in clients:
            client.close()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(program.socket))
            try:  # a line without an end
                client.sendall(b"x" * (1 << 20))
                assert client.recv(1) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert program.ask({"command": "list"})["ok"]
        assert program.end()[0] == 0
        assert not program.socket.exists()


def leaves_a_socket_in_use_alone():
    with live(PROGRAM, "bars=test:smpte") as program:
        program.wait_result("bars")
        status, _, err = run(PROGRAM, "--control", program.socket, "test:")
        assert status == 1 and "--control" in err, (status, err)
        assert program.ask({"command": "list"})["ok"]
        program.process.kill()  # leaves its socket behind
        program.process.wait()
        assert program.socket.exists()
        with live(PROGRAM, "--control", program.socket, "test:") as other:
            other.wait_result("test")
            assert other.end()[0] == 0


def draws_a_line_a_stream_on_a_terminal():
    try:
        terminal, other = pty.openpty()
    except OSError as missing:
        skip(f"no pseudo-terminals here: {missing}")
    program = subprocess.Popen(
        [PROGRAM, "--no-control", "--labels", "colour bars\u009b|fog", "--set",
         "clip-length=2", "bars=test:smpte", "gone=/nowhere.mp4"],
        stdout=other, stderr=subprocess.DEVNULL)
    os.close(other)
    text, limit = b"", time.monotonic() + PATIENCE
    while not re.search(rb"bars +running.* s +\d+ % colour bars\?", text):
        assert time.monotonic() < limit, text[-500:]
        text += os.read(terminal, 4096)
    program.terminate()
    assert program.wait(PATIENCE) == 1  # of the file that is not there
    os.close(terminal)
    assert re.search(rb"gone +stopped.* error: ", text), text[-500:]
    assert b"\033[2A" in text and b"\xc2\x9b" not in text, text[-500:]


def drains_at_a_signal():
    for how in signal.SIGTERM, signal.SIGINT:
        with live(PROGRAM, "--set", "clip-length=100", "test:") as program:
            program.wait_status("test", "running")
            time.sleep(1.5)  # some samples of a clip that is not complete
            status, err = program.end(how)
            assert status == 0, (status, err)
            last = [x for x in program.lines if x["type"] == "clip"]
            assert last and last[-1]["clip"]["reason"] == "eos", last


def tells_nobody_a_password():
    """Neither in lines nor, with all its log, in what GStreamer writes."""
    with tempfile.TemporaryDirectory() as folder:
        config = {"streams": [
            {"name": "apart", "uri": "rtsp://127.0.0.1:1/x", "user": "viewer",
             "password": SECRET}]}
        path = write_config(folder, config)
        with live(PROGRAM, "--config", path, "locked=" + LOCKED,
                  env={"GST_DEBUG": "9", "GST_DEBUG_NO_COLOR": "1"}) as program:
            for name in "locked", "apart":
                line = program.wait_status(name, "retrying")
                assert line["reason"] == "error" and line["detail"], line
            arguments = pathlib.Path(
                f"/proc/{program.process.pid}/cmdline").read_bytes()
            assert SECRET not in json.dumps(program.ask({"command": "stats"}))
            answer = program.ask({"command": "add", "name": "locked",
                                  "uri": LOCKED})
            assert not answer["ok"] and SECRET not in json.dumps(answer)
            answer = program.ask({"command": "add", "name": "x",
                                  "uri": f"rtsp://a:{SECRET}/@b:c/"})
            assert not answer["ok"] and SECRET not in json.dumps(answer)
            status, err = program.end()
            text = "".join(program.text)
    assert status == 0, status
    assert SECRET not in text and TOKEN not in text
    # GStreamer's own log has the URI that it connects to.
    ours = [line for line in err.splitlines() if SECRET in line or
            line.startswith("pe-live") and TOKEN in line]
    assert not ours, ours[:5]
    assert SECRET.encode() not in arguments, arguments


if __name__ == "__main__":
    sys.exit(run_tests([
        tells_usage_apart_from_failure, names_a_key_with_a_typo,
        says_where_a_key_belongs, says_that_there_is_no_stream,
        plays_a_file_and_ends_with_it, fails_when_standard_output_is_full,
        fails_when_standard_output_is_closed,
        goes_on_beside_a_stream_that_cannot_run,
        names_what_is_wrong_in_a_file_and_plays_the_rest,
        refuses_a_file_that_is_no_configuration, adds_removes_and_relabels,
        answers_bad_requests_with_an_error, is_not_held_up_by_clients,
        leaves_a_socket_in_use_alone,
        draws_a_line_a_stream_on_a_terminal, drains_at_a_signal,
        tells_nobody_a_password]))
