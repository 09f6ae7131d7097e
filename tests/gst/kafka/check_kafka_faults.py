#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pekafkasink while things go wrong: check_kafka_faults.py FEED MOCK_CLUSTER
TIMES

The sink is killed, and the brokers go away or say nothing, TIMES times each, at
random moments. What was accepted must arrive, in order within each source once
it is deduplicated. From 10 times on also what takes long by itself. Speaks TAP.
With --bench in place of TIMES: how many records a second go through a spool, a
JSON object a line.
"""

import random
import sys
import time

from cluster import PRODUCE, Cluster

# cluster.py says where they are.
from faults import RATE, check_growth, end_feed, feed_and_kill, print_rates
from feeding import WINDOW, Feed, wait_until
from tap import Folder, run_tests

times = 3


def feed(cluster, *options, **properties):
    return Feed("pekafkasink", *options, bootstrap_servers=cluster.servers,
                **properties)


def survives_the_end_of_its_process(folder):
    spool = folder / "spool.db"
    with Cluster(folder) as cluster:
        properties = {"bootstrap_servers": cluster.servers, "spool": spool}
        next_record = feed_and_kill("pekafkasink", times, 0.5, **properties)
        duplicates = end_feed("pekafkasink", cluster, next_record, **properties)
    limit = (WINDOW + 1) * times
    print(f"# {times} kills, {next_record + 3} records, {duplicates} "
          f"duplicates, limit {limit}")
    assert duplicates <= limit


def survive_outages(folder, begin, end, **properties):
    spool = folder / "spool.db"
    with Cluster(folder) as cluster:
        with feed(cluster, "--count", "1000000", "--rate", str(RATE),
                  spool=spool, **properties) as sink:
            for n in range(1, times + 1):
                wait_until(f"{n} connections",
                           lambda n=n: len(sink.find("connected")) >= n)
                sink.wait_accepted(sink.accepted + 10)
                time.sleep(random.random() / 2)
                cluster.tell(*begin)
                wait_until("lost", lambda n=n: len(sink.find("lost")) >= n)
                cluster.tell(*end)
            wait_until("connected again",
                       lambda: len(sink.find("connected")) > times)
            sink.kill()
            n_records = sink.accepted + 1
            n_connections = len(sink.find("connected"))
        duplicates = end_feed("pekafkasink", cluster, n_records, spool=spool,
                              bootstrap_servers=cluster.servers)
    limit = (WINDOW + 1) * n_connections
    print(f"# {times} outages, {n_records + 3} records, {duplicates} "
          f"duplicates, limit {limit}")
    assert duplicates <= limit


def survives_brokers_that_go_away(folder):
    survive_outages(folder, ["down"], ["up"])


def survives_brokers_that_say_nothing(folder):
    survive_outages(folder, ["rtt", 600000], ["rtt", 0], timeout=1)


def does_not_grow_while_brokers_are_away(folder):
    check_growth("pekafkasink", 1 if times < 10 else 20,
                 bootstrap_servers="localhost:1", spool=folder / "spool.db")


def never_suspects_a_record(folder):
    """Many ends of a connection while the same record is the first on its way
    are no reason to set it aside: brokers say what is wrong with a record."""
    with Cluster(folder) as cluster:
        cluster.tell("errors", PRODUCE, *["UNKNOWN"] * 5)
        with feed(cluster, "--stdin", drain_timeout=100000) as sink:
            cluster.give(sink, 3, n_sources=1)
            assert sink.end() == 0, sink.lines
            assert sink.stat("connections") == 6, sink.lines
            assert sink.stat("parked") == 0, sink.lines
            assert sink.stat("acknowledged") == 3, sink.lines


def keeps_records_for_a_topic_that_is_not_there(folder):
    """Somebody may yet make it: nothing is set aside."""
    with Cluster(folder) as cluster:
        cluster.tell("topic", "pe", "UNKNOWN_TOPIC_OR_PART")
        with feed(cluster, "--count", "9", spool=folder / "spool.db",
                  drain_timeout=100000) as sink:
            line = sink.wait_for("lost")
            assert "topic pe: " in line, line
            cluster.tell("topic", "pe", "NO_ERROR")
            assert sink.end() == 0, sink.lines
            assert sink.stat("acknowledged") == 9, sink.lines
            assert sink.stat("parked") == 0, sink.lines


def bench():
    with Folder() as folder, Cluster(folder, reads=False) as cluster:
        print_rates("pekafkasink", bootstrap_servers=cluster.servers,
                    spool=folder / "spool.db")


def main():
    global times  # pylint: disable=global-statement
    Feed.program, Cluster.program = sys.argv[1:3]
    if sys.argv[3] == "--bench":
        return bench()
    times = int(sys.argv[3])
    tests = [survives_the_end_of_its_process, survives_brokers_that_go_away,
             does_not_grow_while_brokers_are_away]
    if times >= 10:
        tests += [survives_brokers_that_say_nothing, never_suspects_a_record,
                  keeps_records_for_a_topic_that_is_not_there]
    return run_tests(tests, Folder)


if __name__ == "__main__":
    sys.exit(main())
