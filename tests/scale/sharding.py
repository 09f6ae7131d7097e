# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of archives that several machines make share: a server of small
videos that can keep a program in the middle of one, shards, and what is merged.
"""

import functools
import hashlib
import http.server
import os
import pathlib
import re
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "archive"))
import tagging  # pylint: disable=wrong-import-position
from make_archive import write_video  # pylint: disable=wrong-import-position

PATIENCE = tagging.PATIENCE
SCENES = ("fog", "colour bars", "a red circle", "a black screen")
# What hangs in the middle of a file is killed by the test and nobody else.
SLOW = ("--timeout", PATIENCE)


@functools.cache
def video(number):
    """The bytes of one of many different videos of two scenes."""
    tagging.need_elements("souphttpsrc", "matroskamux", "matroskademux",
                          "x264enc")
    parts = [(SCENES[number % 4], 1 + number % 3),
             (SCENES[(number + 1 + number // 4) % 4], 1)]
    with tagging.folder() as folder:
        write_video(folder + "/a.mkv", parts, tagging.scenes(), "bframes.mkv")
        return pathlib.Path(folder, "a.mkv").read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, name = self.server, self.path.partition("?")[0]
        with server.lock:
            server.asked.append(name)
            hold = name == server.held
            if hold:
                server.held = None  # the first who asks
        if name not in server.files:
            self.send_error(403)
            return
        data = server.files[name]
        found = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        end = int(found[2]) + 1 if found and found[2] else len(data)
        self.send_response(206 if found else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if found:
            self.send_header("Content-Range",
                             f"bytes {start}-{end - 1}/{len(data)}")
        self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
        self.end_headers()
        try:
            middle = (start + end) // 2 if hold else end
            self.wfile.write(data[start:middle])
            self.wfile.flush()
            if hold:
                server.is_held.set()
                server.released.wait(PATIENCE)
                self.wfile.write(data[middle:end])
        except OSError:
            self.close_connection = True

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


class VideoServer(http.server.ThreadingHTTPServer):
    """Has n videos, and lets nobody see anything else. hold_longest() keeps the first who asks for the longest in
    its middle until release().
    """

    daemon_threads = True

    def __init__(self, n):
        self.files = {f"/{i:02d}.mkv": video(i) for i in range(n)}
        self.asked, self.lock, self.held = [], threading.Lock(), None
        self.is_held, self.released = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *args):
        self.release()
        self.shutdown()
        super().__exit__(*args)

    def handle_error(self, request, client_address):
        """Programs that are killed reset their connections."""

    def uris(self):
        return [f"http://127.0.0.1:{self.server_port}{name}"
                for name in self.files]

    def hold_longest(self):
        """Which is the first that its shard tags."""
        self.held = max(self.files, key=lambda name: len(self.files[name]))

    def wait_held(self):
        assert self.is_held.wait(PATIENCE), "nobody asked for the file"

    def release(self):
        self.released.set()

    def write_plan(self, program, path):
        """Of all its videos."""
        text = "\n".join(self.uris()) + "\n"
        plan, _ = tagging.run(program, "plan", "-", input=text.encode())
        pathlib.Path(path).write_text(plan)
        self.asked.clear()
        return plan


def tag_shards(program, plan, out, n, *options):
    """The folders of n shards that were tagged one after the other."""
    for i in range(n):
        tagging.run(program, "--list", plan, "--shard", f"{i}/{n}", "--out",
                    f"{out}/{i}", *options)
    return [f"{out}/{i}" for i in range(n)]


def merge(program, folders, out):
    """The bytes of what they are merged into, as checksums by file."""
    tagging.run(program, "merge", *folders, "--out", out)
    assert tagging.run(program, "verify", "--out", out)[0] == "sound\n"
    names = ["index.sqlite", "errors.jsonl", "DONE"]
    names += [f"vectors/{p.name}" for p in pathlib.Path(out, "vectors").iterdir()]
    return {name: hashlib.sha256(pathlib.Path(out, name).read_bytes()).hexdigest()
            for name in names}


def merge_alone(program, server, plan, out):
    """Writes the plan. What one shard of all of it merges into."""
    server.write_plan(program, plan)
    return merge(program, tag_shards(program, plan, out + "/one", 1),
                 out + "/merged")


def start(program, *args, **kwargs):
    return subprocess.Popen([program, *map(str, args)],
                            stdout=subprocess.DEVNULL, **kwargs)


def end_process(process, number):
    """Its exit status behind a signal."""
    process.send_signal(number)
    return process.wait(PATIENCE)


def environment(**more):
    """For a program of another's: ours, and where its folder is."""
    return os.environ | more
