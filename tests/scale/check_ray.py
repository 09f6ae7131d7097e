#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pipelines/ray/tag_shards.py on a Ray of two workers, as a TAP test:
check_ray.py PE_TAG SCRIPT PYTHON

PYTHON is one with the package ray, see tests/scale/install.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import sharding
from sharding import PATIENCE, SLOW, VideoServer
from tagging import folder, run_tests, skip

PROGRAM, SCRIPT, PYTHON = sys.argv[1:4]
VARIABLES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_DOCKER_CPU_WARNING": "1"}


def find_ports(n):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def cluster(place):
    """The address of one with two workers; ends it."""
    if not pathlib.Path(PYTHON).exists():
        skip("there is no Python with ray; tests/scale/install makes one")
    if subprocess.run([PYTHON, "-c", "import ray"], check=False,
                      capture_output=True).returncode:
        skip("Python's ray is not installed")
    port, metrics = find_ports(2)
    ray = str(pathlib.Path(PYTHON).with_name("ray"))
    with open(place + "/output", "wb") as out:
        head = subprocess.Popen(
            [ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1",
             f"--port={port}",
             f"--metrics-export-port={metrics}", "--num-cpus=2",
             "--include-dashboard=false", f"--temp-dir={place}/ray",
             "--object-store-memory=100000000", "--disable-usage-stats"],
            env=sharding.environment(**VARIABLES), stdin=subprocess.DEVNULL,
            stdout=out, stderr=out, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while b"Ray runtime started" not in pathlib.Path(
                place, "output").read_bytes():
            assert head.poll() is None, pathlib.Path(place, "output").read_text()
            assert time.monotonic() < deadline, "Ray does not start"
            time.sleep(.2)
        yield f"127.0.0.1:{port}"
    finally:
        head.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            head.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(head.pid, signal.SIGKILL)
        head.wait()


def kill_worker_of(plan):
    """Of the only pe-tag that is still at work."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            if words[0] == PROGRAM.encode() and plan.encode() in words:
                stat = (path / "stat").read_bytes().rpartition(b") ")[2]
                parent = int(stat.split()[1])
                name = pathlib.Path(f"/proc/{parent}/cmdline").read_bytes()
                assert name.startswith(b"ray::"), name
                os.kill(parent, signal.SIGKILL)
                return
    raise AssertionError("no pe-tag is at work")


def start_script(address, plan, out, *options):
    return subprocess.Popen(
        [PYTHON, SCRIPT, "--address", address, "--plan", plan, "--shards", "4",
         "--out", out, "--pe-tag", PROGRAM, "--", *map(str, options)],
        env=sharding.environment(**VARIABLES), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def merges_the_same_after_a_worker_was_killed_in_a_file():
    with folder() as place, cluster(place) as address:
        with VideoServer(8) as server, folder() as out:
            plan = out + "/plan.tsv"
            expected = sharding.merge_alone(PROGRAM, server, plan, out)
            server.hold_longest()
            script = start_script(address, plan, out + "/ray", *SLOW)
            server.wait_held()
            deadline = time.monotonic() + PATIENCE
            while len(list(pathlib.Path(out).glob("ray/shards/*/DONE"))) < 3:
                assert time.monotonic() < deadline, "the others do not end"
                assert script.poll() is None, script.communicate()
                time.sleep(.1)
            kill_worker_of(plan)
            server.release()
            output, errors = script.communicate(timeout=PATIENCE)
            assert script.returncode == 0, errors
            assert output.count("done") == 4, output
            folders = [f"{out}/ray/shards/{i}" for i in range(4)]
            assert sharding.merge(PROGRAM, folders, out + "/m") == expected
            merged = pathlib.Path(out, "ray", "merged", "index.sqlite")
            assert merged.read_bytes() == pathlib.Path(
                out, "m", "index.sqlite").read_bytes()
            # "never" is not tried again.
            script = start_script(address, plan, out + "/ray2", "--dedup", "9")
            _, errors = script.communicate(timeout=PATIENCE)
            assert script.returncode == 2 and "--dedup" in errors, errors


if __name__ == "__main__":
    sys.exit(run_tests([merges_the_same_after_a_worker_was_killed_in_a_file]))
