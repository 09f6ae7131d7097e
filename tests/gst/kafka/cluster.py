# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cluster that speaks Kafka's protocol (mock_cluster.c) and what arrived."""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "sink"))
from feeding import (DEADLINE,  # noqa: E402
                     wait_until)  # pylint: disable=wrong-import-position

PRODUCE, INIT_PRODUCER_ID = 0, 22  # Kafka's kinds of requests


class Cluster:
    """Runs while the context does."""

    program = None  # set by main()

    def __init__(self, folder, brokers=1, reads=True, servers=None):
        """servers: of brokers that are there, whose records are read instead"""
        self.path = folder / "received"
        self.process = subprocess.Popen(
            [self.program, str(self.path if reads else "-"), str(brokers),
             *([servers] if servers else [])], text=True, bufsize=1, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.servers = self.process.stdout.readline().split()[1]

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        assert self.process.stdout.readline() == "ok\n", words

    def read(self):
        """(topic, partition, offset, key, payload) of each record."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().split("\n")[:-1]
        return [line.split("\t", 4) for line in lines]

    def get_payloads(self):
        return [fields[4] for fields in self.read()]

    def wait_for(self, count):
        """That many records; then none follows for a moment."""
        wait_until(lambda: f"{count} records, not {len(self.read())}",
                   lambda: len(self.read()) >= count)
        time.sleep(0.1)
        return self.read()

    def give(self, sink, count, n_sources=3):
        """The records of feed.c to a sink that was begun with --stdin: the others
        when the first has arrived. Of several requests on their way, this cluster
        may refuse the first and take the next, which no broker does, and librdkafka
        then takes both for stored."""
        before = len(self.read())
        records = [{"source": f"cam-{i % n_sources}", "sequence": i // n_sources}
                   for i in range(count)]
        sink.give(records[0])
        self.wait_for(before + 1)
        sink.give(*records[1:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
