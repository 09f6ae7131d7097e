#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pekafkasink and a broker with files of its own: check_kafka_noida.py FEED
MOCK_CLUSTER TIMES

The broker is noida-db, which a Python package brings; it is fetched from the
package index, and PE_NOIDA_DB names one that is there already. The sink is killed
TIMES times at random moments. The broker is not: ended by SIGTERM, noida-db 0.2.3
does not save the last of what it has acknowledged, once more than a second of it.
Speaks TAP.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import venv

from cluster import Cluster

# cluster.py says where they are.
from faults import end_feed, feed_and_kill
from feeding import (DEADLINE, WINDOW, Feed, find_free_port, is_listening,
                     wait_until)
from tap import Folder, run_tests, skip

PACKAGE = "noida-db==0.2.3"
times = 20


def run(*command):
    """Its last line, and whether it succeeded."""
    try:
        result = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False,
                                timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        return f"it has not ended within {DEADLINE} s", False
    lines = result.stdout.strip().splitlines() or ["it says nothing"]
    return lines[-1], result.returncode == 0


def fetch(folder):
    """The program itself, which its script in Python starts and leaves behind
    when that is ended."""
    try:
        venv.create(folder, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        skip(f"no environment of Python: {error}")
    pip = pathlib.Path(folder, "bin", "pip")
    said, ok = run(pip, "-q", "install", "--only-binary=:all:", "--retries",
                   "1", PACKAGE)
    if not ok:
        skip(f"no {PACKAGE}: {said}")
    return next(pathlib.Path(folder).glob("lib/**/noida_db/noida-db"))


class Broker:
    """Runs while the context does."""

    program = None  # set by main()

    def __init__(self, folder):
        if not Broker.program:
            Broker.program = fetch(Broker.folder)
        said, ok = run(self.program, "version")
        if not ok:
            skip(f"{PACKAGE} does not run here: {said}")
        self.port = find_free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self.log = open(folder / "broker.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [self.program, "start", "--only", "kafka", "--host", "127.0.0.1",
             "--kafka-port", str(self.port), "--data-dir", folder / "broker"],
            stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until("the broker", lambda: is_listening(self.port) or
                   self.process.poll() is not None)
        assert self.process.poll() is None, pathlib.Path(
            self.log.name).read_text(encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(DEADLINE)
        self.log.close()
        wait_until("a port that is closed",
                   lambda: not is_listening(self.port))


def survives_the_end_of_its_process(folder):
    with Broker(folder) as broker, \
            Cluster(folder, servers=broker.servers) as listener:
        properties = {"bootstrap_servers": broker.servers,
                      "spool": folder / "spool.db"}
        next_record = feed_and_kill("pekafkasink", times, 0.5, **properties)
        duplicates = end_feed("pekafkasink", listener, next_record,
                              **properties)
    limit = (WINDOW + 1) * times
    print(f"# {times} kills, {next_record + 3} records, {duplicates} "
          f"duplicates, limit {limit}")
    assert duplicates <= limit


def main():
    global times  # pylint: disable=global-statement
    Feed.program, Cluster.program = sys.argv[1:3]
    times = int(sys.argv[3])
    Broker.program = os.environ.get("PE_NOIDA_DB")
    with tempfile.TemporaryDirectory() as Broker.folder:
        return run_tests([survives_the_end_of_its_process], Folder)


if __name__ == "__main__":
    sys.exit(main())
