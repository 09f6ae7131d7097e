# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real MQTT broker on a port and in a folder of its own, and who listens."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "sink"))
from feeding import (DEADLINE, find_free_port,  # noqa: E402
                     find_program, is_listening,
                     wait_until)  # pylint: disable=wrong-import-position


class Broker:
    """Runs while the context does. `lines` are more of its configuration."""

    def __init__(self, folder, *lines, anonymous=True):
        self.program = find_program("mosquitto")
        self.folder = folder
        self.port = find_free_port()
        self.lines = [f"listener {self.port} 127.0.0.1",
                      f"allow_anonymous {str(anonymous).lower()}",
                      "user root", "persistence true", "autosave_interval 0",
                      f"persistence_location {folder}/",
                      # It keeps what a listener that is away will get.
                      "max_queued_messages 0", *lines]
        self.process = None

    def start(self):
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(self.lines) + "\n")
        with open(self.folder / "mosquitto.log", "ab") as log:
            self.process = subprocess.Popen([self.program, "-c", config],
                                            stdout=log, stderr=log)
        wait_until(self.tell_failure, lambda: is_listening(self.port) or
                   self.process.poll() is not None)
        assert self.process.poll() is None, self.tell_failure()

    def tell_failure(self):
        return (self.folder / "mosquitto.log").read_text()[-1000:]

    def stop(self):
        """In peace, so that it has written what it keeps."""
        self.process.terminate()
        self.process.wait(DEADLINE)
        wait_until("the port is closed", lambda: not is_listening(self.port))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()


class Subscriber:
    """Gets all that is published, also what came while it was away."""

    def __init__(self, broker, *options, topic="#", name="subscriber"):
        self.path = broker.folder / f"{name}.received"
        with open(self.path, "wb") as output:
            self.process = subprocess.Popen(
                ["stdbuf", "-oL", find_program("mosquitto_sub"), "-d", "-p",
                 str(broker.port), "-q", "1", "-c", "-i", name, "-t", topic,
                 "-F", "%t\t%r\t%p", *options],
                stdout=output, stderr=subprocess.STDOUT)
        wait_until("subscribed", lambda: "Subscribed" in self.path.read_text())

    def read(self):
        """(topic, was it retained, payload) of each message."""
        lines = self.path.read_text().split("\n")[:-1]
        found = [line.split("\t", 2) for line in lines if "\t" in line]
        return [(topic, retained == "1", payload)
                for topic, retained, payload in found]

    def count_repeats(self):
        """Messages that the broker itself sent once more, because it ended
        before it knew that they had arrived."""
        return self.path.read_text().count("received PUBLISH (d1")

    def get_payloads(self):
        return [payload for _, _, payload in self.read()]

    def wait_for(self, *payloads):
        wait_until(lambda: f"{payloads} in {self.read()[-5:]}",
                   lambda: set(payloads) <= set(self.get_payloads()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(DEADLINE)
