# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-search serve and an archive with names and labels that are not nice, for
the tests, whose arguments are PE_TAG PE_SEARCH TINY_MODEL.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import tagging
from make_archive import write_video
from tagging import LABELS, PATIENCE, folder, scenes, tag

TAG, SEARCH, TINY_MODEL = sys.argv[1:4]
EVIL = "<img src=x onerror=alert(1)>\"'&#x3c;$(x) @7.{}"
EVIL_LABEL = "<script>document.title=2</script>"
SEEN = ("a boat at sea", "a house in a meadow", "a red circle",
        "a view at night")


def videos():
    """(folder, [path of an MP4, path of a WebM], its archive)"""
    if "evil" not in tagging.SHARED:
        frames = scenes()
        tagging.SHARED["evil keep"] = keep = folder()
        out = pathlib.Path(keep.name).resolve()
        camera = out / "cam & <b>1<b>"
        camera.mkdir()
        paths = []
        for kind, ending, parts in (
                ("h264.mp4", "mp4", SEEN), ("vp8.webm", "webm", SEEN[::-1])):
            write_video(out / "a", [(label, 3) for label in parts], frames,
                        kind)
            paths.append(camera / EVIL.format(ending))
            os.rename(out / "a", paths[-1])
        labels = [{"name": EVIL_LABEL, "prompts": [label]}
                  if label == SEEN[1] else label
                  for label in json.loads(LABELS.read_text())["labels"]]
        (out / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
        tag(TAG, out / "index", camera, "--labels", out / "labels.json")
        tagging.SHARED["evil"] = out, paths, out / "index"
    return tagging.SHARED["evil"]


class Server:
    def __init__(self, *args):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [SEARCH, "serve", "--http", "127.0.0.1:0", *map(str, args)],
            stderr=self.errors, stdout=self.errors)
        limit = time.monotonic() + PATIENCE
        found = None
        while not found:
            assert time.monotonic() < limit and self.process.poll() is None, (
                self.read_errors())
            time.sleep(0.02)
            found = re.search(r"http://127.0.0.1:(\d+)/", self.read_errors())
        self.port = int(found[1])

    def read_errors(self):
        self.errors.seek(0)
        return self.errors.read()

    def get(self, path, method="GET", **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=PATIENCE)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.headers, body

    def search(self, status=200, **parameters):
        path = "/search?" + urllib.parse.urlencode(parameters, doseq=True)
        code, headers, body = self.get(path)
        assert code == status, (code, body)
        assert headers["Content-Type"] == "application/json"
        answer = json.loads(body)
        assert answer["ok"] == (status == 200), answer
        return answer["moments"] if answer["ok"] else answer["error"]

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def end(self):
        """Exit status, by SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.errors.close()


@contextlib.contextmanager
def serving(*args):
    server = Server(*args)
    try:
        yield server
    finally:
        server.close()
