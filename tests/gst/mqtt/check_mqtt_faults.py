#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pemqttsink while things go wrong: check_mqtt_faults.py FEED TIMES [SECONDS]

The sink is killed, the network is broken in three ways, and the broker is
restarted, TIMES times each, at random moments; an outage lasts SECONDS. What was
accepted must arrive, in order within each source once it is deduplicated. Speaks
TAP. With --bench in place of TIMES: how many records a second go through a spool,
a JSON object a line.
"""

import random
import sys
import time

from mosquitto import Broker, Subscriber

# mosquitto.py says where they are.
from faults import RATE, check_growth, end_feed, feed_and_kill, print_rates
from feeding import WINDOW, Feed, Proxy, wait_until
from tap import Folder, run_tests

times, outage = 3, 3.0


def survives_the_end_of_its_process(folder):
    spool = folder / "spool.db"
    with Broker(folder) as broker, Subscriber(broker) as listener:
        next_record = feed_and_kill("pemqttsink", times, 1, port=broker.port,
                                    spool=spool)
        duplicates = end_feed("pemqttsink", listener, next_record, 100,
                              port=broker.port, spool=spool)
    limit = (WINDOW + 1) * times
    print(f"# {times} kills, {next_record + 100} records, {duplicates} "
          f"duplicates, limit {limit}")
    assert duplicates <= limit


def survives_outages_of_the_network(folder):
    spool = folder / "spool.db"
    modes = [("reset", "black-hole", "half-open")[i % 3] for i in range(times)]
    with Broker(folder) as broker, Subscriber(broker) as listener, \
            Proxy(broker.port) as proxy:
        with Feed("pemqttsink", "--count", "1000000", "--rate", str(RATE),
                  port=proxy.port, spool=spool, timeout=2) as sink:
            for mode in modes:
                sink.wait_accepted(sink.accepted + 10)
                n_lost = len(sink.find("lost"))
                n_connected = len(sink.find("connected"))
                time.sleep(random.random())
                proxy.set(mode)
                wait_until(f"lost in {mode}",
                           lambda: len(sink.find("lost")) > n_lost)
                proxy.set("pass")
                wait_until(f"connected after {mode}",
                           lambda: len(sink.find("connected")) > n_connected)
            sink.kill()
            n_records = sink.accepted + 1
            n_connections = len(sink.find("connected"))
        proxy.set("pass")
        duplicates = end_feed("pemqttsink", listener, n_records,
                              port=proxy.port, spool=spool)
    limit = (WINDOW + 1) * n_connections
    print(f"# {times} outages, {n_records} records, {duplicates} duplicates, "
          f"limit {limit}")
    assert duplicates <= limit


def survives_restarts_of_the_broker(folder):
    spool = folder / "spool.db"
    with Broker(folder) as broker, Subscriber(broker) as listener:
        with Feed("pemqttsink", "--count", "1000000", "--rate", str(RATE),
                  port=broker.port, spool=spool) as sink:
            for _ in range(times):
                sink.wait_accepted(sink.accepted + 10)
                n_connected = len(sink.find("connected"))
                time.sleep(random.random())
                broker.stop()
                broker.start()
                wait_until("connected again",
                           lambda: len(sink.find("connected")) > n_connected)
            sink.kill()
            n_records = sink.accepted + 1
            n_connections = len(sink.find("connected"))
        duplicates = end_feed("pemqttsink", listener, n_records,
                              port=broker.port, spool=spool)
        repeats = listener.count_repeats()
    limit = (WINDOW + 1) * n_connections + repeats
    print(f"# {times} restarts, {n_records} records, {duplicates} duplicates, "
          f"limit {limit}, {repeats} of which are the broker's")
    assert duplicates <= limit


def does_not_grow_while_the_broker_is_away(folder):
    check_growth("pemqttsink", outage, port=1, spool=folder / "spool.db")


def bench():
    with Folder() as folder, Broker(folder) as broker:
        print_rates("pemqttsink", port=broker.port, spool=folder / "spool.db")


def main():
    global times, outage  # pylint: disable=global-statement
    Feed.program = sys.argv[1]
    if sys.argv[2] == "--bench":
        return bench()
    times = int(sys.argv[2])
    outage = float(sys.argv[3]) if len(sys.argv) > 3 else outage
    return run_tests(
        [survives_the_end_of_its_process, survives_outages_of_the_network,
         survives_restarts_of_the_broker,
         does_not_grow_while_the_broker_is_away], Folder)


if __name__ == "__main__":
    sys.exit(main())
