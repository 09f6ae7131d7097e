#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pekafkasink, passwords and certificates: check_kafka_security.py FEED

Against one broker of this test (fake_broker.py). Speaks TAP.
"""

import base64
import pathlib
import sys

from fake_broker import PRODUCE, FakeBroker

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sink"))
# pylint: disable=wrong-import-position
from certificates import Authority  # noqa: E402
from feeding import Feed  # noqa: E402
from tap import Folder, run_tests  # noqa: E402

SECRET = "s3cret-Zebra-77"
RIGHT = SECRET + "-right"


def feed(broker, *options, **properties):
    properties.setdefault("drain_timeout", 60000)
    return Feed("pekafkasink", *options,
                bootstrap_servers=f"{broker.host}:{broker.port}", **properties)


def accept(broker, **properties):
    with feed(broker, "--count", "6", **properties) as sink:
        assert sink.end() == 0, sink.lines
        assert sink.stat("acknowledged") == 6, sink.lines
    assert PRODUCE in broker.requests


def refuse(broker, *words, **properties):
    """An error before there was any record."""
    with feed(broker, "--count", "0", keep_open=True, **properties) as sink:
        line = sink.wait_for("error")
        assert all(word in line for word in words), line
        assert sink.accepted == -1
        assert sink.end() == 1


def tells_a_wrong_password_and_logs_none(folder):
    log, wrong, right = folder / "log", folder / "wrong", folder / "right"
    wrong.write_text(SECRET + "-file\n")
    right.write_text(RIGHT + "\nsecond line\n")
    debug = {"GST_DEBUG": "*:9", "GST_DEBUG_FILE": str(log)}
    for mechanism, words in (("PLAIN", {"password": SECRET}),
                             ("SCRAM-SHA-256", {"password": SECRET}),
                             ("SCRAM-SHA-512", {"password_file": wrong})):
        who = {"user": "me", "sasl_mechanism": mechanism.lower(), "env": debug}
        with FakeBroker(mechanism, RIGHT) as broker:
            refuse(broker, f"{broker.host}:{broker.port}", "uthentication", **who,
                   **words)
            assert PRODUCE not in broker.requests
            accept(broker, password_file=right, **who)
        text = log.read_bytes()
        assert b"pekafkasink" in text and b"IDEMPSTATE" in text
        for secret in (SECRET, f"\0me\0{SECRET}"):
            assert secret.encode() not in text
            assert base64.b64encode(secret.encode())[:12] not in text


def tells_a_mechanism_that_the_broker_has_not(_folder):
    with FakeBroker("PLAIN", RIGHT) as broker:
        refuse(broker, "mechanism", "PLAIN", user="me", password=RIGHT)


def checks_certificates(folder):
    ours, others = Authority(folder / "ca"), Authority(folder / "other")
    good = ours.make("localhost")
    expired = ours.make("expired", end="20210101000000Z")
    elsewhere = ours.make("elsewhere", "DNS:broker.example")
    with FakeBroker(certificate=good) as broker:
        accept(broker, ca=ours.cert)
        refuse(broker, "certificate", "localhost", ca=others.cert)
        refuse(broker, "certificate", tls="true")
    with FakeBroker(certificate=expired) as broker:
        refuse(broker, "certificate has expired", "expired", ca=ours.cert)
    with FakeBroker(certificate=elsewhere) as broker:
        refuse(broker, "mismatch", "elsewhere", ca=ours.cert)
    with FakeBroker(certificate=good, mechanism="PLAIN",
                    password=RIGHT) as broker:
        accept(broker, ca=ours.cert, user="me", password=RIGHT,
               sasl_mechanism="plain")


def has_a_certificate_of_its_own(folder):
    ours = Authority(folder / "ca")
    client = ours.make("client")
    old_client = ours.make("old-client", end="20210101000000Z")
    with FakeBroker(certificate=ours.make("localhost"),
                    clients=ours.cert) as broker:
        accept(broker, ca=ours.cert, cert=client[0], key=client[1])
        refuse(broker, "certificate", ca=ours.cert)
        refuse(broker, "old-client.pem", "expired", ca=ours.cert,
               cert=old_client[0], key=old_client[1])
        refuse(broker, "client.key", ca=ours.cert, cert=client[1],
               key=client[0])


def tells_a_broker_without_tls(folder):
    """It may be on its way up, behind something else: tried again."""
    authority = Authority(folder / "ca")
    with FakeBroker() as broker:
        with feed(broker, "--count", "0", keep_open=True,
                  ca=authority.cert) as sink:
            line = sink.wait_for("warning")
            assert "SSL" in line and "tried again" in line, line
            sink.kill()


def main():
    Feed.program = sys.argv[1]
    return run_tests(
        [tells_a_wrong_password_and_logs_none,
         tells_a_mechanism_that_the_broker_has_not, checks_certificates,
         has_a_certificate_of_its_own, tells_a_broker_without_tls], Folder)


if __name__ == "__main__":
    sys.exit(main())
