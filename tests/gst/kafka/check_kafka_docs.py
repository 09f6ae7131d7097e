#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pipelines of a document with pekafkasink, run on the demo video against a
cluster: check_kafka_docs.py DOCUMENT DEMO MOCK_CLUSTER

DEMO is the folder of the demo model. Speaks TAP.
"""

import pathlib
import sys

from cluster import Cluster
from fake_broker import PRODUCE, FakeBroker

# cluster.py says where they are.
from documented import PASSWORD, make_files, run_command, run_document
from feeding import wait_until

EXAMPLE = "broker.example:9092"


def run_with_password(command, folder, authority, certificate):
    with FakeBroker("SCRAM-SHA-512", PASSWORD, certificate,
                    authority.cert) as broker:
        run_command(command.replace(EXAMPLE, f"{broker.host}:{broker.port}"),
                    folder, "pekafkasink")
        assert PRODUCE in broker.requests


def run_one(command, folder, demo):
    """With brokers as it wants them."""
    authority, certificate = make_files(folder, demo)
    assert EXAMPLE in command
    if "password-file" in command:
        run_with_password(command, folder, authority, certificate)
        return
    with Cluster(folder) as cluster:
        run_command(command.replace(EXAMPLE, cluster.servers), folder,
                    "pekafkasink")
        wait_until("a record", cluster.read)
        records = cluster.read()
    print(f"# {len(records)} records, topic {records[0][0]}")
    assert records[0][0] in ("cameras", "sensors"), records[0]


def main():
    document, demo = map(pathlib.Path, sys.argv[1:3])
    Cluster.program = sys.argv[3]
    return run_document(document, "pekafkasink",
                        lambda command, folder: run_one(command, folder, demo))


if __name__ == "__main__":
    sys.exit(main())
