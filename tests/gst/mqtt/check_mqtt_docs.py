#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pipelines of a document with pemqttsink, run on the demo video against a
broker: check_mqtt_docs.py DOCUMENT DEMO

DEMO is the folder of the demo model. Speaks TAP.
"""

import pathlib
import subprocess
import sys

from mosquitto import Broker, Subscriber

# mosquitto.py says where they are.
from documented import PASSWORD, make_files, run_command, run_document
from feeding import find_program, wait_until


def run_one(command, folder, demo):
    """With a broker as it wants one."""
    authority, (cert, key) = make_files(folder, demo)
    subprocess.run([find_program("mosquitto_passwd"), "-b", "-c", "passwords",
                    "camera", PASSWORD], check=True, cwd=folder)
    lines, options = [], []
    if "password-file" in command:
        lines = [f"password_file {folder}/passwords"]
    if "ca=" in command:
        lines += ["require_certificate true", f"cafile {authority.cert}",
                  f"certfile {cert}", f"keyfile {key}"]
        options = ["--cafile", authority.cert, "--cert", folder / "camera.pem",
                   "--key", folder / "camera.key", "-u", "camera", "-P",
                   PASSWORD]
    with Broker(folder, *lines) as broker, \
            Subscriber(broker, *options) as listener:
        run_command(command.replace("host=broker.example",
                                    f"host=localhost port={broker.port}"),
                    folder, "pemqttsink")
        wait_until("a message", listener.read)
        messages = listener.read()
    print(f"# {len(messages)} messages, {messages[0][0]}")
    assert messages[0][0].startswith(("cameras/", "sensors/door", "pe/")), \
        messages[0]


def main():
    document, demo = map(pathlib.Path, sys.argv[1:])
    return run_document(document, "pemqttsink",
                        lambda command, folder: run_one(command, folder, demo))


if __name__ == "__main__":
    sys.exit(main())
