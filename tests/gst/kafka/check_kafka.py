#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pekafkasink against a cluster: check_kafka.py FEED MOCK_CLUSTER

What arrives, where and under which key, what becomes of records that brokers
refuse, and what wrong settings are told. Speaks TAP.
"""

import json
import sqlite3
import sys
import time

from cluster import INIT_PRODUCER_ID, PRODUCE, Cluster

# cluster.py says where they are.
from feeding import Feed, compare_records, find_free_port, wait_until
from tap import Folder, run_tests

PATIENCE = 20  # seconds, for what takes one on a machine that is not busy


def feed(cluster, *options, **properties):
    properties.setdefault("bootstrap_servers", cluster.servers)
    properties.setdefault("drain_timeout", 60000)
    return Feed("pekafkasink", *options, **properties)


def send(cluster, count, **properties):
    with feed(cluster, "--count", str(count), **properties) as sink:
        assert sink.end() == 0, sink.lines
    return sink


def read_parked(spool):
    with sqlite3.connect(spool) as database:
        return database.execute("SELECT reason, payload FROM parked").fetchall()


# ---- What arrives ----------------------------------------------------------

def sends_each_record_once_and_in_order(folder):
    with Cluster(folder, brokers=3) as cluster:
        sink = send(cluster, 500)
        records = cluster.wait_for(500)
    assert compare_records([fields[4] for fields in records], 500) == 0
    assert sink.stat("acknowledged") == 500 and sink.stat("waiting") == 0


def has_the_source_as_key(folder):
    """So that a source is in one partition, in order."""
    with Cluster(folder) as cluster:
        send(cluster, 300)
        records = cluster.wait_for(300)
    partitions = {}
    for topic, partition, _, key, payload in records:
        assert topic == "pe" and json.loads(payload)["source"] == key
        partitions.setdefault(key, set()).add(partition)
    assert len(partitions) == 3, partitions
    assert all(len(found) == 1 for found in partitions.values()), partitions


def makes_topics_of_members(folder):
    with Cluster(folder) as cluster:
        send(cluster, 6, topic="a_b.{label}-{source}_{nothing}")
        topics = {fields[0] for fields in cluster.wait_for(6)}
    assert topics == {f"a_b.a_20dog-cam-{i}_unknown" for i in range(3)}, topics


def compresses(folder):
    with Cluster(folder) as cluster:
        for kind in ("gzip", "snappy", "lz4", "zstd"):
            send(cluster, 30, compression=kind, topic=kind)
        topics = [fields[0] for fields in cluster.wait_for(120)]
    assert all(topics.count(kind) == 30
               for kind in ("gzip", "snappy", "lz4", "zstd")), topics


def keeps_records_for_brokers_that_are_away(folder):
    spool = folder / "spool.db"
    with Feed("pekafkasink", "--count", "100", spool=spool, drain_timeout=0,
              bootstrap_servers=f"localhost:{find_free_port()}") as sink:
        assert sink.end() == 0, sink.lines
        assert sink.stat("waiting") == 100
    with Cluster(folder) as cluster:
        with feed(cluster, "--from", "100", "--count", "100",
                  spool=spool) as sink:
            assert sink.end() == 0, sink.lines
        cluster.wait_for(200)
        assert compare_records(cluster.get_payloads(), 200) == 0


# ---- What brokers say ------------------------------------------------------

def sets_aside_what_brokers_refuse(folder):
    """Only the record that is too large, of those on their way together."""
    spool = folder / "spool.db"
    with Cluster(folder) as cluster:
        cluster.tell("errors", PRODUCE, "MSG_SIZE_TOO_LARGE")
        with feed(cluster, "--count", "12", "--sources", "1", "--padding",
                  "20000", spool=spool) as sink:
            assert sink.end() == 0, sink.lines
            assert sink.stat("parked") == 1, sink.lines
            assert sink.stat("acknowledged") == 11, sink.lines
            assert "set aside" in sink.wait_for("warning")
        cluster.wait_for(11)
    rows = read_parked(spool)
    assert len(rows) == 1 and "too large" in rows[0][0], rows
    assert json.loads(rows[0][1])["sequence"] == 0


def sets_aside_what_is_too_large(folder):
    with Cluster(folder) as cluster:
        with feed(cluster, "--count", "2", "--padding", "5000",
                  max_record_size=2) as sink:
            assert sink.end() == 0, sink.lines
            assert sink.stat("parked") == 2, sink.lines


def sends_what_is_larger_than_usual(folder):
    """Brokers know their own limit."""
    with Cluster(folder) as cluster:
        with feed(cluster, "--count", "2", "--padding", "2000000",
                  max_record_size=4096) as sink:
            assert sink.end() == 0, sink.lines
            assert sink.stat("acknowledged") == 2, sink.lines


def goes_on_after_errors_that_pass(folder):
    """Without another connection: librdkafka sends again."""
    with Cluster(folder) as cluster:
        for name in ("NOT_LEADER_FOR_PARTITION", "REQUEST_TIMED_OUT",
                     "NOT_ENOUGH_REPLICAS", "UNKNOWN_PRODUCER_ID"):
            cluster.tell("errors", PRODUCE, name)
            with feed(cluster, "--stdin", topic=name) as sink:
                cluster.give(sink, 30)
                assert sink.end() == 0, sink.lines
            assert sink.stat("acknowledged") == 30, (name, sink.lines)
            assert sink.stat("connections") == 1, (name, sink.lines)
            assert sink.stat("forgotten") == 0, (name, sink.lines)
        records = cluster.wait_for(120)
    for name in {fields[0] for fields in records}:
        payloads = [fields[4] for fields in records if fields[0] == name]
        assert compare_records(payloads, 30) == 0, name


def keeps_records_when_it_may_not_write(folder):
    """Somebody may yet give the right: nothing is set aside."""
    with Cluster(folder) as cluster:
        cluster.tell("errors", PRODUCE, "TOPIC_AUTHORIZATION_FAILED")
        with feed(cluster, "--count", "9") as sink:
            line = sink.wait_for("lost")
            assert "topic pe: " in line, line
            assert sink.end() == 0, sink.lines
            assert sink.stat("acknowledged") == 9, sink.lines
            assert sink.stat("parked") == 0, sink.lines


def sets_aside_what_has_a_wrong_topic(folder):
    """Told of the record: told of the topic, by a mock that then also tells its
    partitions, as no broker does, librdkafka 2.8 crashes."""
    with Cluster(folder) as cluster:
        cluster.tell("errors", PRODUCE, *["TOPIC_EXCEPTION"] * 3)
        sink = send(cluster, 3)
        assert sink.stat("parked") == 3, sink.lines
        assert "Invalid topic" in sink.wait_for("warning")


def makes_another_producer_after_a_fatal_error(folder):
    """The broker has lost what it had acknowledged: that is counted, and what
    is not acknowledged is sent again."""
    with Cluster(folder) as cluster:
        with feed(cluster, "--count", "100", "--rate", "100") as sink:
            sink.wait_accepted(20)
            cluster.tell("errors", PRODUCE, "OUT_OF_ORDER_SEQUENCE_NUMBER")
            began = time.monotonic()
            line = sink.wait_for("lost")
            wait_until("connected again",
                       lambda: len(sink.find("connected")) == 2)
            took = time.monotonic() - began
            assert sink.end() == 0, sink.lines
        assert "sequence" in line, line
        assert any("may have lost records" in warning
                   for warning in sink.find("warning")), sink.lines
        assert sink.stat("forgotten") == 1, sink.lines
        assert sink.stat("acknowledged") == 100, sink.lines
        wait_until("100", lambda: len(set(cluster.get_payloads())) == 100)
        duplicates = compare_records(cluster.get_payloads(), 100)
    print(f"# {took:.2f} s, limit 5 where nothing else runs; {duplicates} "
          "duplicates, limit 20")
    assert took <= PATIENCE and duplicates <= 20


def tells_who_may_not_produce(folder):
    with Cluster(folder) as cluster:
        cluster.tell("errors", INIT_PRODUCER_ID, "CLUSTER_AUTHORIZATION_FAILED")
        with feed(cluster, "--count", "3") as sink:
            assert "authorization failed" in sink.wait_for("lost")
            assert sink.end() == 0, sink.lines
            assert sink.stat("acknowledged") == 3, sink.lines


# ---- What is wrong ---------------------------------------------------------

def names_brokers_that_are_away(_folder):
    """And the end of the stream waits no longer than it may."""
    for host in ("localhost", "no-such-host.invalid"):
        with Feed("pekafkasink", "--count", "3", keep_open=True,
                  bootstrap_servers=f"{host}:{find_free_port()}") as sink:
            line = sink.wait_for("warning")
            assert host in line and "tried again" in line, line
            sink.kill()
    with Feed("pekafkasink", "--count", "3", drain_timeout=300,
              bootstrap_servers=f"localhost:{find_free_port()}") as sink:
        sink.wait_accepted(2)
        began = time.monotonic()
        assert sink.end() == 0, sink.lines
        took = time.monotonic() - began
        assert any("3 records did not reach" in warning
                   for warning in sink.find("warning")), sink.lines
    print(f"# ended after {took:.2f} s, of which 0.3 to drain")
    assert took <= PATIENCE


def refuses_wrong_settings(folder):
    (folder / "text").write_text("\n")
    user = {"user": "u"}
    for properties, words in (
            ({"topic": "a/b"}, ("topic", "letters")),
            ({"topic": "."}, ("topic", "..")),
            ({"topic": ".."}, ("topic", "..")),
            ({"topic": "x" * 250}, ("topic", "249")),
            ({"topic": "a{source"}, ("topic", "byte 8", "brace")),
            ({"topic": "}"}, ("topic", "byte 0")),
            ({"topic": ""}, ("topic",)),
            ({"bootstrap_servers": ""}, ("bootstrap-servers", "none")),
            ({"bootstrap_servers": "a,,b"}, ("bootstrap-servers", "HOST")),
            ({"bootstrap_servers": "a:99999"}, ("bootstrap-servers", "99999")),
            ({"bootstrap_servers": "http://a"}, ("bootstrap-servers", "http")),
            ({"ca": folder / "text"}, ("text", "PEM")),
            ({"ca": folder / "none"}, ("none",)),
            ({"cert": folder / "text"}, ("cert and key",)),
            ({"password": "x"}, ("user",)),
            (user, ("password",)),
            ({"password_file": folder / "none", **user}, ("none",)),
            ({"password_file": folder / "text", **user}, ("text",)),
            ({"spool": folder / "no" / "spool.db"}, ("spool.db", "No such"))):
        properties = {"bootstrap_servers": "localhost:1", **properties}
        with Feed("pekafkasink", "--count", "0", **properties) as sink:
            line = sink.wait_for("error")
            assert all(word in line for word in words), (properties, line)
            sink.end()


def main():
    Feed.program, Cluster.program = sys.argv[1:]
    return run_tests(
        [sends_each_record_once_and_in_order, has_the_source_as_key,
         makes_topics_of_members, compresses,
         keeps_records_for_brokers_that_are_away,
         sets_aside_what_brokers_refuse, sets_aside_what_is_too_large,
         sends_what_is_larger_than_usual, goes_on_after_errors_that_pass,
         keeps_records_when_it_may_not_write,
         sets_aside_what_has_a_wrong_topic,
         makes_another_producer_after_a_fatal_error,
         tells_who_may_not_produce, names_brokers_that_are_away,
         refuses_wrong_settings], Folder)


if __name__ == "__main__":
    sys.exit(main())
