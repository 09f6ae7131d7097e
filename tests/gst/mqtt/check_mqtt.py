#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pemqttsink against a real broker: check_mqtt.py FEED

What arrives, where and with what marks, and what wrong settings are told.
Speaks TAP.
"""

import base64
import json
import sqlite3
import subprocess
import sys

from mosquitto import Broker, Subscriber

# mosquitto.py says where they are.
from certificates import Authority
from feeding import (Feed, compare_records, find_free_port, find_program,
                     wait_until)
from tap import Folder, run_tests

SECRET = "s3cret-Zebra-77"


def feed(broker, *options, **properties):
    properties.setdefault("port", broker.port)
    properties.setdefault("drain_timeout", 60000)
    return Feed("pemqttsink", *options, **properties)


def publish_once(broker, **properties):
    with feed(broker, "--count", "6", **properties) as sink:
        assert sink.end() == 0, sink.lines
    return sink


def expect_error(sink, *words):
    """Before there was any record."""
    with sink:
        line = sink.wait_for("error")
        assert all(word in line for word in words), line
        assert sink.accepted == -1
        assert sink.end() == 1


# ---- What arrives ----------------------------------------------------------

def sends_each_record_once_and_in_order(folder):
    with Broker(folder) as broker, Subscriber(broker) as listener:
        with feed(broker, "--count", "500") as sink:
            assert sink.end() == 0, sink.lines
        wait_until("500", lambda: len(listener.get_payloads()) >= 500)
        assert compare_records(listener.get_payloads(), 500) == 0
        assert sink.stat("acknowledged") == 500 and sink.stat("waiting") == 0


def makes_topics_of_members(folder):
    with Broker(folder) as broker, Subscriber(broker) as listener:
        publish_once(broker, topic="a/{source}/{label}/{sequence}/{nothing}",
                     mqtt_qos=2)
        wait_until("6", lambda: len(listener.read()) == 6)
        topics = {topic for topic, _, _ in listener.read()}
        assert topics == {f"a/cam-{i % 3}/a dog/{i // 3}/unknown"
                          for i in range(6)}, topics


def keeps_the_last_record_of_a_topic(folder):
    with Broker(folder) as broker:
        publish_once(broker, topic="state", retain="true")
        with Subscriber(broker) as listener:
            wait_until("a message", listener.read)
            assert listener.read()[0][1], listener.read()
            assert json.loads(listener.read()[0][2])["sequence"] == 1


def says_whether_it_is_there(folder):
    with Broker(folder) as broker:
        with Subscriber(broker, topic="status") as listener:
            publish_once(broker, status_topic="status")
            listener.wait_for("online", "offline")
            assert listener.get_payloads() == ["online", "offline"]
        with Subscriber(broker, topic="status") as listener:
            with feed(broker, "--count", "1", keep_open=True,
                      status_topic="status", status_online="here",
                      status_offline="dead") as sink:
                listener.wait_for("here")
                sink.kill()
            listener.wait_for("dead")


def keeps_records_for_a_broker_that_is_away(folder):
    spool = folder / "spool.db"
    port = find_free_port()
    with Feed("pemqttsink", "--count", "100", port=port, spool=spool,
              drain_timeout=0) as sink:
        assert sink.end() == 0, sink.lines
        assert sink.stat("waiting") == 100
    with Broker(folder) as broker, Subscriber(broker) as listener:
        with feed(broker, "--from", "100", "--count", "100",
                  spool=spool) as sink:
            assert sink.end() == 0, sink.lines
        wait_until("200", lambda: len(listener.get_payloads()) >= 200)
        assert compare_records(listener.get_payloads(), 200) == 0


def works_with_version_3_1_1(folder):
    with Broker(folder) as broker, Subscriber(broker) as listener:
        publish_once(broker, protocol="3.1.1")
        wait_until("6", lambda: len(listener.read()) == 6)


def sets_aside_what_the_broker_refuses(folder):
    spool = folder / "spool.db"
    with Broker(folder, "message_size_limit 1000") as broker, \
            Subscriber(broker) as listener:
        with feed(broker, "--count", "3", "--padding", "2000",
                  spool=spool) as sink:
            assert sink.end() == 0, sink.lines
            assert sink.stat("parked") == 3, sink.lines
            assert "set aside" in sink.wait_for("warning")
        with feed(broker, "--count", "9", spool=spool) as sink:
            assert sink.end() == 0, sink.lines
        wait_until("9", lambda: len(listener.read()) == 9)
    with sqlite3.connect(spool) as database:
        rows = database.execute("SELECT payload, reason FROM parked").fetchall()
    assert len(rows) == 3 and "large" in rows[0][1], rows
    assert len(json.loads(rows[0][0])["embedding"]) == 2000


def sets_aside_what_is_too_large(folder):
    with Broker(folder) as broker, Subscriber(broker) as listener:
        with feed(broker, "--count", "2", "--padding", "5000",
                  max_record_size=2) as sink:
            assert sink.end() == 0, sink.lines
            assert sink.stat("parked") == 2, sink.lines
        publish_once(broker)
        wait_until("6", lambda: len(listener.read()) == 6)


# ---- What is wrong ---------------------------------------------------------

def tells_a_wrong_password_and_logs_none(folder):
    passwords, log = folder / "passwords", folder / "log"
    subprocess.run([find_program("mosquitto_passwd"), "-b", "-c", passwords,
                    "me", SECRET + "-right"], check=True)
    wrong = folder / "wrong"
    wrong.write_text(SECRET + "-file\n")
    right = folder / "right"
    right.write_text(SECRET + "-right\nsecond line\n")
    debug = {"GST_DEBUG": "*:9", "GST_DEBUG_FILE": str(log)}
    with Broker(folder, f"password_file {passwords}",
                anonymous=False) as broker:
        for words in ({"password": SECRET}, {"password_file": wrong}, {}):
            for protocol in ("5", "3.1.1"):
                who = {"user": "me"} if words else {}
                expect_error(feed(broker, "--count", "0", env=debug,
                                  keep_open=True, protocol=protocol, **who,
                                  **words),
                             f"localhost:{broker.port}", "uthori")
                text = log.read_bytes()
                assert b"pemqttsink" in text
                assert SECRET.encode() not in text
                assert base64.b64encode(SECRET.encode())[:12] not in text
        with feed(broker, "--count", "6", env=debug, user="me",
                  password_file=right) as sink:
            assert sink.end() == 0, sink.lines
        assert SECRET.encode() not in log.read_bytes()


def checks_certificates(folder):
    ours, others = Authority(folder / "ca"), Authority(folder / "other")
    good = ours.make("localhost")
    expired = ours.make("expired", end="20210101000000Z")
    elsewhere = ours.make("elsewhere", "DNS:broker.example")
    client = ours.make("client")
    old_client = ours.make("old-client", end="20210101000000Z")

    def serve(pair, *more):
        return Broker(folder, f"cafile {ours.cert}", f"certfile {pair[0]}",
                      f"keyfile {pair[1]}", *more)

    def refuse(broker, *words, **properties):
        expect_error(feed(broker, "--count", "0", keep_open=True,
                          **properties), *words)

    with serve(good) as broker:
        publish_once(broker, ca=ours.cert)
        publish_once(broker, ca=ours.cert, host="127.0.0.1")
        refuse(broker, "certificate", "localhost", ca=others.cert)
        refuse(broker, "certificate", tls="true")
    with serve(expired) as broker:
        refuse(broker, "certificate has expired", "expired", ca=ours.cert)
    with serve(elsewhere) as broker:
        refuse(broker, "mismatch", ca=ours.cert)
    with serve(good, "require_certificate true") as broker:
        publish_once(broker, ca=ours.cert, cert=client[0], key=client[1])
        refuse(broker, "certificate", ca=ours.cert)
        refuse(broker, "old-client.pem", "expired", ca=ours.cert,
               cert=old_client[0], key=old_client[1])
        refuse(broker, "client.key", ca=ours.cert, cert=client[1],
               key=client[0])


def refuses_wrong_settings(folder):
    (folder / "text").write_text("\n")
    other = folder / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t (x)")
    for properties, words in (
            ({"topic": "a/+/b"}, ("topic", "+")),
            ({"topic": "a/{source"}, ("topic", "byte 9", "brace")),
            ({"topic": "}"}, ("topic", "byte 0")),
            ({"topic": ""}, ("topic",)),
            ({"topic": "$SYS/x"}, ("$",)),
            ({"status_topic": "a/#"}, ("status-topic", "#")),
            ({"host": ""}, ("host",)),
            ({"ca": folder / "text"}, ("text", "PEM")),
            ({"ca": folder / "none"}, ("none",)),
            ({"cert": folder / "text"}, ("cert and key",)),
            ({"password": "x"}, ("user",)),
            ({"password_file": folder / "none", "user": "u"}, ("none",)),
            ({"password_file": folder / "text", "user": "u"}, ("text",)),
            ({"spool": folder}, (str(folder), "file")),
            ({"spool": folder / "no" / "spool.db"}, ("spool.db", "No such")),
            ({"spool": other}, ("other.db", "something else"))):
        with Feed("pemqttsink", "--count", "0", port=1, **properties) as sink:
            line = sink.wait_for("error")
            assert all(word in line for word in words), (properties, line)
            sink.end()


def only_one_has_a_spool(folder):
    spool = folder / "spool.db"
    with Feed("pemqttsink", "--count", "1", keep_open=True, port=1,
              spool=spool, drain_timeout=0) as first:
        first.wait_accepted(0)
        expect_error(Feed("pemqttsink", "--count", "0", port=1, spool=spool),
                     "spool.db", "locked")
        assert first.end() == 0


def names_a_broker_that_is_away(_folder):
    with Feed("pemqttsink", "--count", "3", port=find_free_port(),
              drain_timeout=100) as sink:
        line = sink.wait_for("warning")
        assert "localhost" in line and "refused" in line, line
        assert sink.end() == 0
        assert any("3 records did not reach" in warning
                   for warning in sink.find("warning")), sink.lines


def main():
    Feed.program = sys.argv[1]
    return run_tests(
        [sends_each_record_once_and_in_order, makes_topics_of_members,
         keeps_the_last_record_of_a_topic, says_whether_it_is_there,
         keeps_records_for_a_broker_that_is_away, works_with_version_3_1_1,
         sets_aside_what_the_broker_refuses, sets_aside_what_is_too_large,
         tells_a_wrong_password_and_logs_none, checks_certificates,
         refuses_wrong_settings, only_one_has_a_spool,
         names_a_broker_that_is_away], Folder)


if __name__ == "__main__":
    sys.exit(main())
